"""Full-text search in published posts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "post_search"
down_revision = "post_life"
branch_labels = None
depends_on = None

# PostgreSQL's Russian takes the stem of words in Latin letters by the rules of English.
DOCUMENT_FUNCTION = """
CREATE FUNCTION post_document(title text, summary text, tags text[], body text) RETURNS tsvector
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT setweight(to_tsvector('russian', title), 'A')
        || setweight(to_tsvector('russian', array_to_string(tags, ' ') || ' ' || summary), 'B')
        || setweight(to_tsvector('russian', body), 'D')
$$
"""
# plaza.post_search = 'later' leaves it to a job: reading a text takes longer than storing it.
SEARCH_FUNCTION = """
CREATE FUNCTION keep_post_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'published' AND NEW.deleted_at IS NULL THEN
        INSERT INTO post_search (post_id, author_id, published_at, document)
        VALUES (
            NEW.id,
            NEW.author_id,
            NEW.published_at,
            CASE WHEN current_setting('plaza.post_search', true) IS DISTINCT FROM 'later'
                THEN post_document(NEW.title, NEW.summary, NEW.tags, NEW.body) END
        )
        ON CONFLICT (post_id) DO UPDATE
        SET published_at = excluded.published_at, document = excluded.document;
    ELSE
        DELETE FROM post_search WHERE post_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$
"""
INSERT_TRIGGER = """
CREATE TRIGGER keep_post_search_of_new AFTER INSERT ON posts
FOR EACH ROW WHEN (NEW.status = 'published' AND NEW.deleted_at IS NULL)
EXECUTE FUNCTION keep_post_search()
"""
UPDATE_TRIGGER = """
CREATE TRIGGER keep_post_search_of_changed
AFTER UPDATE OF title, summary, tags, body, status, published_at, deleted_at ON posts
FOR EACH ROW WHEN (
    'published' IN (OLD.status, NEW.status)
    AND (OLD.title, OLD.summary, OLD.tags, OLD.body, OLD.status, OLD.published_at, OLD.deleted_at)
    IS DISTINCT FROM
    (NEW.title, NEW.summary, NEW.tags, NEW.body, NEW.status, NEW.published_at, NEW.deleted_at)
)
EXECUTE FUNCTION keep_post_search()
"""
FILL = """
INSERT INTO post_search (post_id, author_id, published_at, document)
SELECT id, author_id, published_at, post_document(title, summary, tags, body)
FROM posts WHERE status = 'published' AND deleted_at IS NULL
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "post_search",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("published_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("document", postgresql.TSVECTOR(), nullable=True),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_search_post_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_post_search")),
    )
    op.execute(DOCUMENT_FUNCTION)
    op.execute(FILL)
    op.create_index(
        op.f("ix_post_search_document"),
        "post_search",
        ["document"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 256},
    )
    op.create_index(
        op.f("ix_post_search_published_at_post_id"),
        "post_search",
        ["published_at", "post_id"],
        unique=False,
    )
    op.create_index(
        "ix_post_search_unread",
        "post_search",
        ["post_id"],
        unique=False,
        postgresql_where=sa.text("document IS NULL"),
    )
    op.execute(SEARCH_FUNCTION)
    op.execute(INSERT_TRIGGER)
    op.execute(UPDATE_TRIGGER)


def downgrade() -> None:
    """Undo."""
    op.execute("DROP TRIGGER keep_post_search_of_changed ON posts")
    op.execute("DROP TRIGGER keep_post_search_of_new ON posts")
    op.execute("DROP FUNCTION keep_post_search")
    op.drop_table("post_search")
    op.execute("DROP FUNCTION post_document")
