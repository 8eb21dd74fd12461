"""Accounts whose address takes no mail."""

import sqlalchemy as sa
from alembic import op

revision = "undeliverable_mail"
down_revision = "usernames"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "users", sa.Column("email_undeliverable_at", sa.TIMESTAMP(timezone=True), nullable=True)
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("users", "email_undeliverable_at")
