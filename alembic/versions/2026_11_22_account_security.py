"""Account security: roles, second factors, clients, keys, personal tokens, the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "account_security"
down_revision = "posts"
branch_labels = None
depends_on = None

APPEND_ONLY_FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$
"""
APPEND_ONLY_TRIGGER = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_at_id"), "audit_log", ["at", "id"], unique=False)
    op.create_index(
        op.f("ix_audit_log_user_id_at_id"), "audit_log", ["user_id", "at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_audit_log_actor_id_at_id"), "audit_log", ["actor_id", "at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_audit_log_action_at_id"), "audit_log", ["action", "at", "id"], unique=False
    )
    op.create_table(
        "failure_counts",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_failure_counts")),
    )
    op.create_table(
        "oauth_clients",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_clients")),
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("encrypted_private_key", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("retired_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "personal_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_personal_tokens_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personal_tokens")),
    )
    op.create_index(
        op.f("ix_personal_tokens_user_id_created_at_id"),
        "personal_tokens",
        ["user_id", "created_at", "id"],
        unique=False,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "totp_factors",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("encrypted_secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_totp_factors_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_factors")),
    )
    op.add_column(
        "email_links", sa.Column("purpose", sa.Text(), server_default="confirm", nullable=False)
    )
    op.add_column("email_links", sa.Column("new_email", sa.Text(), nullable=True))
    op.add_column(
        "sessions", sa.Column("client_id", sa.Text(), server_default="plaza", nullable=False)
    )
    op.add_column("sessions", sa.Column("address", sa.Text(), nullable=True))
    op.add_column(
        "sessions", sa.Column("device", sa.Text(), server_default="unknown device", nullable=False)
    )
    # Ended ones too: a sign-in asks whether any came from its place, and deleting a user for all.
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.add_column(
        "users",
        sa.Column("roles", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column(
        "users",
        sa.Column("mfa_enabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("users", sa.Column("last_sign_in_at", sa.TIMESTAMP(timezone=True), nullable=True))
    op.create_index(op.f("ix_users_created_at_id"), "users", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_users_with_roles",
        "users",
        ["id"],
        unique=False,
        postgresql_where=sa.text("roles <> '{}'"),
    )
    op.execute(APPEND_ONLY_FUNCTION)
    op.execute(APPEND_ONLY_TRIGGER)


def downgrade() -> None:
    """Undo."""
    op.drop_index(
        "ix_users_with_roles", table_name="users", postgresql_where=sa.text("roles <> '{}'")
    )
    op.drop_index(op.f("ix_users_created_at_id"), table_name="users")
    op.drop_column("users", "last_sign_in_at")
    op.drop_column("users", "mfa_enabled")
    op.drop_column("users", "roles")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    op.create_index(
        op.f("ix_sessions_user_id"),
        "sessions",
        ["user_id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_column("sessions", "device")
    op.drop_column("sessions", "address")
    op.drop_column("sessions", "client_id")
    op.drop_column("email_links", "new_email")
    op.drop_column("email_links", "purpose")
    op.drop_table("totp_factors")
    op.drop_table("recovery_codes")
    op.drop_table("personal_tokens")
    op.drop_table("signing_keys")
    op.drop_table("oauth_clients")
    op.drop_table("failure_counts")
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_change()")
