"""Likes, bookmarks and tags, with their counts."""

import sqlalchemy as sa
from alembic import op

revision = "reactions"
down_revision = "post_search"
branch_labels = None
depends_on = None

# Posts are locked in the order of their ids.
LIKES_FUNCTION = """
CREATE FUNCTION count_likes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM posts WHERE id IN (SELECT post_id FROM changed_likes)
    ORDER BY id FOR NO KEY UPDATE;
    UPDATE posts SET likes_count = likes_count + changed.difference
    FROM (
        SELECT post_id, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END AS difference
        FROM changed_likes GROUP BY post_id
    ) AS changed
    WHERE posts.id = changed.post_id;
    RETURN NULL;
END
$$
"""
LIKED_TRIGGER = """
CREATE TRIGGER count_likes_given AFTER INSERT ON likes
REFERENCING NEW TABLE AS changed_likes
FOR EACH STATEMENT EXECUTE FUNCTION count_likes()
"""
UNLIKED_TRIGGER = """
CREATE TRIGGER count_likes_taken_back AFTER DELETE ON likes
REFERENCING OLD TABLE AS changed_likes
FOR EACH STATEMENT EXECUTE FUNCTION count_likes()
"""
# Before the cascade locks them one by one: two accounts that like each other's posts may be deleted at once.
LOCK_FUNCTION = """
CREATE FUNCTION lock_posts_of_deleted_user() RETURNS trigger LANGUAGE plpgsql AS $$
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
LOCK_TRIGGER = """
CREATE TRIGGER lock_posts_of_deleted_user BEFORE DELETE ON users
FOR EACH ROW EXECUTE FUNCTION lock_posts_of_deleted_user()
"""
# Tags are locked in the order of their names.
TAGS_FUNCTION = """
CREATE FUNCTION count_tags() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    were text[] := '{}';
    are text[] := '{}';
    changed record;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        SELECT coalesce(array_agg(tag), '{}') INTO were
        FROM old_posts, unnest(tags) AS tag WHERE status = 'published' AND deleted_at IS NULL;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        SELECT coalesce(array_agg(tag), '{}') INTO are
        FROM new_posts, unnest(tags) AS tag WHERE status = 'published' AND deleted_at IS NULL;
    END IF;
    IF were = are THEN
        RETURN NULL;
    END IF;
    FOR changed IN
        SELECT name, sum(one) AS difference
        FROM (SELECT unnest(were), -1 UNION ALL SELECT unnest(are), 1) AS each (name, one)
        GROUP BY name HAVING sum(one) <> 0 ORDER BY name COLLATE "C"
    LOOP
        INSERT INTO tags (name, posts_count) VALUES (changed.name, changed.difference)
        ON CONFLICT (name) DO UPDATE SET posts_count = tags.posts_count + excluded.posts_count;
    END LOOP;
    DELETE FROM tags WHERE name = ANY (were) AND posts_count = 0;
    RETURN NULL;
END
$$
"""
NEW_TAGS_TRIGGER = """
CREATE TRIGGER count_tags_of_new AFTER INSERT ON posts
REFERENCING NEW TABLE AS new_posts
FOR EACH STATEMENT EXECUTE FUNCTION count_tags()
"""
CHANGED_TAGS_TRIGGER = """
CREATE TRIGGER count_tags_of_changed AFTER UPDATE ON posts
REFERENCING OLD TABLE AS old_posts NEW TABLE AS new_posts
FOR EACH STATEMENT EXECUTE FUNCTION count_tags()
"""
OLD_TAGS_TRIGGER = """
CREATE TRIGGER count_tags_of_deleted AFTER DELETE ON posts
REFERENCING OLD TABLE AS old_posts
FOR EACH STATEMENT EXECUTE FUNCTION count_tags()
"""
FILL_TAGS = """
INSERT INTO tags (name, posts_count)
SELECT tag, count(*) FROM posts, unnest(tags) AS tag
WHERE status = 'published' AND deleted_at IS NULL GROUP BY tag
"""
PUBLISHED = sa.text("status = 'published' AND deleted_at IS NULL")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "likes",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_likes_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_likes_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "user_id", name=op.f("pk_likes")),
    )
    op.create_index(
        op.f("ix_likes_user_id_created_at_post_id"),
        "likes",
        ["user_id", "created_at", "post_id"],
        unique=False,
    )
    op.create_table(
        "bookmarks",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_bookmarks_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_bookmarks_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "post_id", name=op.f("pk_bookmarks")),
    )
    op.create_index(
        op.f("ix_bookmarks_user_id_created_at_post_id"),
        "bookmarks",
        ["user_id", "created_at", "post_id"],
        unique=False,
    )
    op.create_index(op.f("ix_bookmarks_post_id"), "bookmarks", ["post_id"], unique=False)
    op.create_index(
        "ix_posts_popular", "posts", ["likes_count", "id"], unique=False, postgresql_where=PUBLISHED
    )
    op.create_index(
        "ix_posts_author_popular",
        "posts",
        ["author_id", "likes_count", "id"],
        unique=False,
        postgresql_where=PUBLISHED,
    )
    op.create_table(
        "tags",
        sa.Column("name", sa.Text(collation="C"), nullable=False),
        sa.Column("posts_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tags")),
    )
    op.execute(FILL_TAGS)
    op.create_index("ix_tags_most_used", "tags", [sa.text("(-posts_count)"), "name"], unique=False)
    for statement in (
        LIKES_FUNCTION,
        LIKED_TRIGGER,
        UNLIKED_TRIGGER,
        LOCK_FUNCTION,
        LOCK_TRIGGER,
        TAGS_FUNCTION,
        NEW_TAGS_TRIGGER,
        CHANGED_TAGS_TRIGGER,
        OLD_TAGS_TRIGGER,
    ):
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    for trigger in ("count_tags_of_deleted", "count_tags_of_changed", "count_tags_of_new"):
        op.execute(f"DROP TRIGGER {trigger} ON posts")
    op.execute("DROP TRIGGER lock_posts_of_deleted_user ON users")
    op.drop_table("tags")
    op.drop_table("bookmarks")
    op.drop_table("likes")
    for function in ("count_tags", "lock_posts_of_deleted_user", "count_likes"):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("ix_posts_author_popular", table_name="posts")
    op.drop_index("ix_posts_popular", table_name="posts")
    op.execute("UPDATE posts SET likes_count = 0 WHERE likes_count > 0")
