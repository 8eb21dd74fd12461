"""Known devices end with a change of the second factor, and sessions remember their refreshes.

Signing keys are published before they sign, and publishing a post locks its author first.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

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
    op.add_column(
        "sessions",
        sa.Column(
            "earlier_refreshes",
            postgresql.ARRAY(sa.TIMESTAMP(timezone=True)),
            server_default="{}",
            nullable=False,
        ),
    )
    op.add_column("signing_keys", sa.Column("signs_from", sa.TIMESTAMP(timezone=True)))
    # Triggers fire in the order of their names: this one before that of the foreign key ("RI_…"),
    # whose weaker lock of the author would be in the way of who deletes him, and he of ours.
    op.execute('ALTER TRIGGER count_published_posts ON posts RENAME TO "A_count_published_posts"')


def downgrade() -> None:
    """Undo."""
    op.execute('ALTER TRIGGER "A_count_published_posts" ON posts RENAME TO count_published_posts')
    op.drop_column("signing_keys", "signs_from")
    op.drop_column("sessions", "earlier_refreshes")
    op.drop_column("users", "device_generation")
