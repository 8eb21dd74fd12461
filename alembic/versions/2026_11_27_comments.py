"""Comments, with their count at each post."""

import sqlalchemy as sa
from alembic import op

revision = "comments"
down_revision = "webhooks"
branch_labels = None
depends_on = None

# Posts are locked in the order of their ids.
COUNT_FUNCTION = """
CREATE FUNCTION count_comments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    were uuid[] := '{}';
    are uuid[] := '{}';
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT coalesce(array_agg(post_id ORDER BY id), '{}') INTO were
        FROM old_comments WHERE deleted_at IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT coalesce(array_agg(post_id ORDER BY id), '{}') INTO are
        FROM new_comments WHERE deleted_at IS NULL;
    END IF;
    IF were = are THEN
        RETURN NULL;
    END IF;
    PERFORM FROM posts WHERE id = ANY (were || are) ORDER BY id FOR NO KEY UPDATE;
    UPDATE posts SET comments_count = comments_count + changed.difference
    FROM (
        SELECT id, sum(one) AS difference
        FROM (SELECT unnest(were), -1 UNION ALL SELECT unnest(are), 1) AS each (id, one)
        GROUP BY id HAVING sum(one) <> 0
    ) AS changed
    WHERE posts.id = changed.id;
    RETURN NULL;
END
$$
"""
NEW_TRIGGER = """
CREATE TRIGGER count_new_comments AFTER INSERT ON comments
REFERENCING NEW TABLE AS new_comments
FOR EACH STATEMENT EXECUTE FUNCTION count_comments()
"""
CHANGED_TRIGGER = """
CREATE TRIGGER count_changed_comments AFTER UPDATE ON comments
REFERENCING OLD TABLE AS old_comments NEW TABLE AS new_comments
FOR EACH STATEMENT EXECUTE FUNCTION count_comments()
"""
OLD_TRIGGER = """
CREATE TRIGGER count_deleted_comments AFTER DELETE ON comments
REFERENCING OLD TABLE AS old_comments
FOR EACH STATEMENT EXECUTE FUNCTION count_comments()
"""
# With the posts that a user has commented on, whose counts change.
LOCK_FUNCTION = """
CREATE OR REPLACE FUNCTION lock_posts_of_deleted_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM posts
    WHERE id IN (
        SELECT id FROM posts WHERE author_id = OLD.id
        UNION ALL
        SELECT post_id FROM likes WHERE user_id = OLD.id
        UNION ALL
        SELECT post_id FROM comments WHERE author_id = OLD.id
    )
    ORDER BY id FOR UPDATE;
    RETURN OLD;
END
$$
"""
FORMER_LOCK_FUNCTION = """
CREATE OR REPLACE FUNCTION lock_posts_of_deleted_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM posts
    WHERE id IN (
        SELECT id FROM posts WHERE author_id = OLD.id
        UNION ALL
        SELECT post_id FROM likes WHERE user_id = OLD.id
    )
    ORDER BY id FOR UPDATE;
    RETURN OLD;
END
$$
"""
# Of a deleted account's comments, those with replies leave their place.
REMOVE_FUNCTION = """
CREATE FUNCTION remove_comments_of_deleted_user() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    theirs uuid[];
BEGIN
    SELECT array_agg(id) INTO theirs FROM (
        SELECT id FROM comments WHERE author_id = OLD.id ORDER BY id FOR UPDATE
    ) AS locked;
    UPDATE comments
    SET author_id = NULL, body = '', body_html = '', deleted_at = now(), updated_at = now(),
        version = version + 1
    WHERE id = ANY (theirs);
    LOOP
        DELETE FROM comments WHERE id = ANY (theirs) AND NOT EXISTS (
            SELECT FROM comments AS reply
            WHERE reply.post_id = comments.post_id AND reply.parent_id = comments.id
        );
        EXIT WHEN NOT FOUND;
    END LOOP;
    RETURN OLD;
END
$$
"""
REMOVE_TRIGGER = """
CREATE TRIGGER remove_comments_of_deleted_user BEFORE DELETE ON users
FOR EACH ROW EXECUTE FUNCTION remove_comments_of_deleted_user()
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "comments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_html", sa.Text(), nullable=False),
        sa.Column("edited_at", sa.TIMESTAMP(timezone=True), nullable=True),
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
        sa.CheckConstraint("depth BETWEEN 0 AND 8", name=op.f("ck_comments_not_too_deep")),
        sa.CheckConstraint(
            "(parent_id IS NULL) = (depth = 0)", name=op.f("ck_comments_depth_of_parent")
        ),
        sa.CheckConstraint(
            "(author_id IS NULL) = (deleted_at IS NOT NULL)",
            name=op.f("ck_comments_author_or_deleted"),
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_comments_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id", "parent_id"],
            ["comments.post_id", "comments.id"],
            name=op.f("fk_comments_post_id_parent_id"),
        ),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_comments_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comments")),
        sa.UniqueConstraint("post_id", "id", name=op.f("uq_comments_post_id_id")),
    )
    for columns in (
        ["post_id", "created_at", "id"],
        ["post_id", "parent_id", "created_at", "id"],
        ["author_id", "created_at", "id"],
    ):
        name = op.f(f"ix_comments_{'_'.join(columns)}")
        op.create_index(name, "comments", columns, unique=False)
    for statement in (
        COUNT_FUNCTION,
        NEW_TRIGGER,
        CHANGED_TRIGGER,
        OLD_TRIGGER,
        LOCK_FUNCTION,
        REMOVE_FUNCTION,
        REMOVE_TRIGGER,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    op.execute("DROP TRIGGER remove_comments_of_deleted_user ON users")
    op.execute("DROP FUNCTION remove_comments_of_deleted_user")
    op.execute(FORMER_LOCK_FUNCTION)
    op.drop_table("comments")
    op.execute("DROP FUNCTION count_comments")
    op.execute("UPDATE posts SET comments_count = 0 WHERE comments_count > 0")
