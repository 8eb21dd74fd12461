"""Making administrators: the first one has nobody who could do it over HTTP."""

import getpass
import signal
import sys

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select, text

from src.access.permissions import ADMIN
from src.audit import log as audit
from src.auth.passwords.hashing import PasswordHasher
from src.auth.passwords.policy import PasswordPolicy
from src.auth.schemas import Password
from src.auth.security_events import SecurityNotice, security_notice
from src.clock import Clock
from src.config import Settings
from src.events import log as events
from src.exceptions import ConflictError, InvalidInputError
from src.ids import uuid7
from src.sql.session import DatabaseSession
from src.users.exceptions import UsernameTakenError
from src.users.models import User
from src.users.schemas import Email
from src.users.service import suggest_username
from src.validation.settings import validating_with

_email: TypeAdapter[str] = TypeAdapter(Email)
_password: TypeAdapter[str] = TypeAdapter(Password)


async def create_admin(
    session: DatabaseSession, settings: Settings, clock: Clock, *, email: str, username: str | None
) -> str:
    """Make a confirmed user with the role, or give it to a confirmed user: what there is to say.

    Raises:
        ConflictError: the user has not confirmed their address, or is disabled.
        UsernameTakenError: somebody has the username.
        RuntimeError: the address is none, the password is too weak, or none was given.
    """
    email = _valid(email, settings)
    user = await session.scalar(select(User).where(User.email == email).with_for_update())
    if user:
        return await _give_role(session, clock, user)
    if username and await session.scalar(select(User.id).where(User.username == username)):
        raise UsernameTakenError
    # Somebody types now, for as long as they like, and nothing is locked meanwhile.
    await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    password_hash = await _password_hash(email, settings)
    now = clock.now()
    username = username or suggest_username(email.partition("@")[0])
    user = User(
        id=uuid7(),
        email=email,
        username=username,
        display_name=username,
        locale="en",
        password_hash=password_hash,
        email_verified_at=now,
        roles=[ADMIN],
        created_at=now,
        updated_at=now,
    )
    session.add(user)
    await audit.record(
        session, "account.created", at=now, peer=None, user_id=user.id, roles=user.roles
    )
    await events.record(session, "user.registered", at=now, subject_id=user.id)
    await session.flush()
    return f"{email} is an administrator, with the username {username}."


async def _give_role(session: DatabaseSession, clock: Clock, user: User) -> str:
    if not user.email_verified:
        raise ConflictError(f"{user.email} is registered but not confirmed: confirm it first.")
    if not user.is_active:
        raise ConflictError(f"The account of {user.email} is disabled.")
    if ADMIN in user.roles:
        return f"{user.email} is an administrator already. Nothing has changed."
    now, before = clock.now(), user.roles
    user.roles = sorted({*before, ADMIN})
    user.updated_at = now
    await audit.record(
        session,
        "roles.changed",
        at=now,
        peer=None,
        user_id=user.id,
        before=before,
        after=user.roles,
    )
    notice = SecurityNotice(
        event="roles.changed",
        to=user.email,
        locale=user.locale,
        display_name=user.display_name,
        at=now,
        address=None,
        device="",
    )
    await security_notice.enqueue(session, notice)
    return f"{user.email} has an account, and is an administrator from the next sign-in."


def _ask_for_password() -> str:
    """A line of the input; a terminal does not show it, and asks twice."""
    if sys.stdin is None:  # closed
        return ""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    # asyncio would wait for the line to end before it lets Ctrl+C interrupt.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise RuntimeError("These are two different passwords. Nothing has changed.")
    except (KeyboardInterrupt, EOFError):
        raise RuntimeError("\nNothing has changed.") from None
    finally:
        signal.signal(signal.SIGINT, interrupt)
    return password


async def _password_hash(email: str, settings: Settings) -> str:
    """The hash of the password that somebody gives now."""
    try:
        password = _password.validate_python(_ask_for_password())
    except ValidationError:
        raise RuntimeError("A password is a line of UTF-8 text. Nothing has changed.") from None
    policy, hasher = PasswordPolicy(settings), PasswordHasher(settings)
    try:
        await policy.require_good(password, email, "password")
        return await hasher.hash(password)
    except InvalidInputError as error:
        [reason] = error.errors
        raise RuntimeError(f"{reason.message('en')}. Nothing has changed.") from None
    finally:
        hasher.close()
        await policy.close()


def _valid(email: str, settings: Settings) -> str:
    with validating_with(settings):
        try:
            return _email.validate_python(email)
        except ValidationError:
            raise RuntimeError(f"{email} is not a valid e-mail address.") from None
