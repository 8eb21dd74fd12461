"""Scheduled posts, slugs that stay with their post, revisions, and counts of likes and comments."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "post_life"
down_revision = "undeliverable_mail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("posts", sa.Column("publish_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.add_column(
        "posts", sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column("posts", sa.Column("edited_at", sa.TIMESTAMP(timezone=True), nullable=True))
    for count in ("likes_count", "comments_count"):
        op.add_column(
            "posts", sa.Column(count, sa.Integer(), server_default=sa.text("0"), nullable=False)
        )
    op.drop_constraint("ck_posts_status_known", "posts")
    op.create_check_constraint(
        op.f("ck_posts_status_known"), "posts", "status IN ('draft', 'published', 'scheduled')"
    )
    op.create_check_constraint(
        op.f("ck_posts_publish_at_set"),
        "posts",
        "(status = 'scheduled') = (publish_at IS NOT NULL)",
    )
    op.create_index(
        "ix_posts_trash",
        "posts",
        ["deleted_at", "id"],
        unique=False,
        postgresql_where=sa.text("deleted_at IS NOT NULL"),
    )
    op.create_table(
        "post_slugs",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_slugs_post_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_post_slugs")),
    )
    op.execute("INSERT INTO post_slugs SELECT slug, id, created_at FROM posts")
    op.create_index(op.f("ix_post_slugs_post_id"), "post_slugs", ["post_id"], unique=False)
    op.drop_constraint("uq_posts_slug", "posts")
    op.create_table(
        "post_revisions",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_revisions_post_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "number", name=op.f("pk_post_revisions")),
    )


def downgrade() -> None:
    """Undo: what is scheduled is a draft again, and only what posts say now stays."""
    op.drop_table("post_revisions")
    op.create_unique_constraint(op.f("uq_posts_slug"), "posts", ["slug"])
    op.drop_table("post_slugs")
    op.drop_index("ix_posts_trash", table_name="posts")
    op.drop_constraint("ck_posts_publish_at_set", "posts")
    op.drop_constraint("ck_posts_status_known", "posts")
    op.execute("UPDATE posts SET status = 'draft' WHERE status = 'scheduled'")
    op.create_check_constraint(
        op.f("ck_posts_status_known"), "posts", "status IN ('draft', 'published')"
    )
    for column in ("comments_count", "likes_count", "edited_at", "revision", "publish_at"):
        op.drop_column("posts", column)
