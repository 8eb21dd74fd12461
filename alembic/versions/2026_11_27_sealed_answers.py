"""Kept answers are sealed, and requests told apart with a key: those of the last day are forgotten."""

from alembic import op

revision = "sealed_answers"
down_revision = "reactions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.execute("DELETE FROM idempotency_keys")


def downgrade() -> None:
    """Undo."""
    op.execute("DELETE FROM idempotency_keys")
