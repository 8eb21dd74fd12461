"""What the tables of accounts hold about a user, without salts, secrets and hashes."""

from sqlalchemy import func, select

from src.auth.models import EmailLink, RecoveryCode, Registration, Session, TotpFactor
from src.personal_data import Section, rows_of
from src.sql.shapes import Shape

_SESSION = Shape(
    {
        "id": Session.id,
        "client_id": Session.client_id,
        "scope": Session.scope,
        "address": Session.address,
        "device": Session.device,
        "created_at": Session.created_at,
        "refreshed_at": Session.refreshed_at,
        "idle_expires_at": Session.idle_expires_at,
        "expires_at": Session.expires_at,
        "ended_at": Session.ended_at,
        "end_reason": Session.end_reason,
    }
)
_REGISTRATION = Shape(
    {
        "id": Registration.id,
        "opened_account": Registration.opened_account,
        "display_name": Registration.display_name,
        "username": Registration.username,
        "locale": Registration.locale,
        "created_at": Registration.created_at,
    }
)
_EMAIL_LINK = Shape(
    {
        "id": EmailLink.id,
        "purpose": EmailLink.purpose,
        "new_email": EmailLink.new_email,
        "locale": EmailLink.locale,
        "created_at": EmailLink.created_at,
        "expires_at": EmailLink.expires_at,
        "used_at": EmailLink.used_at,
    }
)
_SECOND_FACTOR = Shape(
    {
        "created_at": TotpFactor.created_at,
        "confirmed_at": TotpFactor.confirmed_at,
        "recovery_codes_left": select(func.count())
        .where(RecoveryCode.user_id == TotpFactor.user_id)
        .correlate(TotpFactor)
        .scalar_subquery(),
    }
)
_READ = {"profile:read"}
_second_factor = rows_of(
    "second_factor", TotpFactor.user_id, _SECOND_FACTOR, TotpFactor.user_id, scopes=_READ
)

PERSONAL_DATA = [
    rows_of("sessions", Session.user_id, _SESSION, Session.id, scopes=_READ),
    rows_of("registrations", Registration.user_id, _REGISTRATION, Registration.id, scopes=_READ),
    rows_of("email_links", EmailLink.user_id, _EMAIL_LINK, EmailLink.id, scopes=_READ),
    Section(
        _second_factor.name,
        (*_second_factor.tables, RecoveryCode.__tablename__),
        _second_factor.documents,
        _second_factor.scopes,
    ),
]
