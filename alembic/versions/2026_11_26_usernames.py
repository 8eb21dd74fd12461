"""Usernames that were asked for or given up; links that were used."""

import sqlalchemy as sa
from alembic import op

revision = "usernames"
down_revision = "text_in_one_form"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("users", sa.Column("requested_username", sa.Text(), nullable=True))
    op.add_column("email_links", sa.Column("used_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.create_table(
        "held_usernames",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("held_until", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_held_usernames_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_held_usernames")),
    )
    op.create_index(op.f("ix_held_usernames_user_id"), "held_usernames", ["user_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("held_usernames")
    op.drop_column("email_links", "used_at")
    op.drop_column("users", "requested_username")
