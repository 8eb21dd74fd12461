"""Posts, and the count of published ones kept with their author."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "posts"
down_revision = "accounts"
branch_labels = None
depends_on = None

# One place that no path of the code can forget: create, publish, trash, restore, delete.
COUNT_FUNCTION = """
CREATE FUNCTION count_published_posts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was integer := 0;
    now_is integer := 0;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        was := (OLD.status = 'published' AND OLD.deleted_at IS NULL)::integer;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        now_is := (NEW.status = 'published' AND NEW.deleted_at IS NULL)::integer;
    END IF;
    IF was <> now_is THEN
        UPDATE users SET posts_count = posts_count + now_is - was
        WHERE id = COALESCE(NEW.author_id, OLD.author_id);
    END IF;
    RETURN NULL;
END
$$
"""
COUNT_TRIGGER = """
CREATE TRIGGER count_published_posts
AFTER INSERT OR DELETE OR UPDATE OF status, deleted_at ON posts
FOR EACH ROW EXECUTE FUNCTION count_published_posts()
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("published_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(status = 'published') = (published_at IS NOT NULL)",
            name=op.f("ck_posts_published_at_set"),
        ),
        sa.CheckConstraint("status IN ('draft', 'published')", name=op.f("ck_posts_status_known")),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_posts_author_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("slug", name=op.f("uq_posts_slug")),
    )
    op.create_index(
        "ix_posts_author", "posts", ["author_id", "status", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_posts_author_published",
        "posts",
        ["author_id", "published_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'published' AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_posts_published",
        "posts",
        ["published_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'published' AND deleted_at IS NULL"),
    )
    op.create_index(
        "ix_posts_tags",
        "posts",
        ["tags"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("status = 'published' AND deleted_at IS NULL"),
    )
    op.execute(COUNT_FUNCTION)
    op.execute(COUNT_TRIGGER)


def downgrade() -> None:
    """Undo."""
    op.drop_table("posts")
    op.execute("DROP FUNCTION count_published_posts")
