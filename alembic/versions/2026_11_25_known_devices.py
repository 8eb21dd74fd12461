"""Known devices end with a change of the second factor."""

import sqlalchemy as sa
from alembic import op

revision = "known_devices"
down_revision = "account_security"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "users",
        sa.Column("device_generation", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("users", "device_generation")
