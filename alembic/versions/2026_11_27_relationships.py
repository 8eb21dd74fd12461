"""Following and blocking, with counts."""

import sqlalchemy as sa
from alembic import op

revision = "relationships"
down_revision = "sealed_answers"
branch_labels = None
depends_on = None

# Counts are locked in the order of their users. Those of a follow that ends are there.
FOLLOWED_FUNCTION = """
CREATE FUNCTION count_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO follow_counts (user_id, followers_count, following_count)
    SELECT user_id, sum(followers), sum(following)
    FROM (
        SELECT followed_id, 1, 0 FROM new_follows UNION ALL SELECT follower_id, 0, 1 FROM new_follows
    ) AS each (user_id, followers, following)
    GROUP BY user_id ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE
    SET followers_count = follow_counts.followers_count + excluded.followers_count,
        following_count = follow_counts.following_count + excluded.following_count;
    RETURN NULL;
END
$$
"""
UNFOLLOWED_FUNCTION = """
CREATE FUNCTION count_ended_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM follow_counts
    WHERE user_id IN (
        SELECT followed_id FROM old_follows UNION ALL SELECT follower_id FROM old_follows
    )
    ORDER BY user_id FOR NO KEY UPDATE;
    UPDATE follow_counts
    SET followers_count = followers_count - ended.followers,
        following_count = following_count - ended.following
    FROM (
        SELECT user_id, sum(followers) AS followers, sum(following) AS following
        FROM (
            SELECT followed_id, 1, 0 FROM old_follows
            UNION ALL SELECT follower_id, 0, 1 FROM old_follows
        ) AS each (user_id, followers, following)
        GROUP BY user_id
    ) AS ended
    WHERE ended.user_id = follow_counts.user_id;
    RETURN NULL;
END
$$
"""
FOLLOWED_TRIGGER = """
CREATE TRIGGER count_follows AFTER INSERT ON follows REFERENCING NEW TABLE AS new_follows
FOR EACH STATEMENT EXECUTE FUNCTION count_follows()
"""
UNFOLLOWED_TRIGGER = """
CREATE TRIGGER count_ended_follows AFTER DELETE ON follows REFERENCING OLD TABLE AS old_follows
FOR EACH STATEMENT EXECUTE FUNCTION count_ended_follows()
"""
# Before the cascade does it in an order of its own: two who follow each other may go at once.
END_FUNCTION = """
CREATE FUNCTION end_relationships() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM follows WHERE follower_id = OLD.id OR followed_id = OLD.id
    ORDER BY follower_id, followed_id FOR UPDATE;
    DELETE FROM follows WHERE follower_id = OLD.id OR followed_id = OLD.id;
    PERFORM FROM blocks WHERE blocker_id = OLD.id OR blocked_id = OLD.id
    ORDER BY blocker_id, blocked_id FOR UPDATE;
    DELETE FROM blocks WHERE blocker_id = OLD.id OR blocked_id = OLD.id;
    RETURN OLD;
END
$$
"""
END_TRIGGER = """
CREATE TRIGGER end_relationships BEFORE DELETE ON users
FOR EACH ROW EXECUTE FUNCTION end_relationships()
"""


def _create(table: str, one: str, other: str) -> None:
    op.create_table(
        table,
        sa.Column(one, sa.Uuid(), nullable=False),
        sa.Column(other, sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(f"{one} <> {other}", name=op.f(f"ck_{table}_another")),
        sa.ForeignKeyConstraint(
            [one], ["users.id"], name=op.f(f"fk_{table}_{one}"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            [other], ["users.id"], name=op.f(f"fk_{table}_{other}"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(one, other, name=op.f(f"pk_{table}")),
    )
    name = op.f(f"ix_{table}_{one}_created_at_{other}")
    op.create_index(name, table, [one, "created_at", other], unique=False)


def _create_index_of_published(*include: str) -> None:
    op.drop_index("ix_posts_published", table_name="posts")
    op.create_index(
        "ix_posts_published",
        "posts",
        ["published_at", "id"],
        unique=False,
        postgresql_include=include,
        postgresql_where=sa.text("status = 'published' AND deleted_at IS NULL"),
    )


def upgrade() -> None:
    """Apply."""
    _create_index_of_published("author_id")
    _create("follows", "follower_id", "followed_id")
    op.create_index(
        op.f("ix_follows_followed_id_created_at_follower_id"),
        "follows",
        ["followed_id", "created_at", "follower_id"],
        unique=False,
    )
    _create("blocks", "blocker_id", "blocked_id")
    op.create_index(op.f("ix_blocks_blocked_id"), "blocks", ["blocked_id"], unique=False)
    op.create_table(
        "follow_counts",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("followers_count", sa.Integer(), nullable=False),
        sa.Column("following_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("following_count <= 5000", name=op.f("ck_follow_counts_not_too_many")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_follow_counts_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_follow_counts")),
    )
    for statement in (
        FOLLOWED_FUNCTION,
        UNFOLLOWED_FUNCTION,
        FOLLOWED_TRIGGER,
        UNFOLLOWED_TRIGGER,
        END_FUNCTION,
        END_TRIGGER,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    _create_index_of_published()
    op.execute("DROP TRIGGER end_relationships ON users")
    for table in ("follow_counts", "blocks", "follows"):
        op.drop_table(table)
    for function in ("end_relationships", "count_ended_follows", "count_follows"):
        op.execute(f"DROP FUNCTION {function}")
