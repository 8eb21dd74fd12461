"""Text in one form: NFC, and tags as they are compared now."""

from unicodedata import normalize

import sqlalchemy as sa
from alembic import op

revision = "text_in_one_form"
down_revision = "known_devices"
branch_labels = None
depends_on = None

IN_NFC = {
    "users": ["display_name", "bio"],
    "registrations": ["display_name"],
    "posts": ["slug", "title", "summary"],
    "personal_tokens": ["name"],
    "oauth_clients": ["name"],
}
NOT_ASCII = sa.text(
    "SELECT id, tags FROM posts WHERE octet_length(tags::text) <> char_length(tags::text)"
)
SET_TAGS = sa.text("UPDATE posts SET tags = :tags WHERE id = :id").bindparams(
    sa.bindparam("tags", type_=sa.ARRAY(sa.Text()))
)


def upgrade() -> None:
    """Apply. Bodies stay: HTML has been made of them."""
    for table, columns in IN_NFC.items():
        for column in columns:
            op.execute(
                f"UPDATE {table} SET {column} = normalize({column}, NFC) "
                f"WHERE {column} IS NOT NFC NORMALIZED"
            )
    connection = op.get_bind()
    for post_id, tags in connection.execute(NOT_ASCII).all():
        forms = [normalize("NFKC", normalize("NFKC", tag).lower()) for tag in tags]
        if forms != tags:
            connection.execute(SET_TAGS, {"id": post_id, "tags": list(dict.fromkeys(forms))})


def downgrade() -> None:
    """Nothing to undo: the text is the same to those who read it."""
