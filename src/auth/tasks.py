"""Background jobs of accounts: the mails. Tokens are made here, at the moment of sending."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement, delete, exists, inspect, or_, select

from src.auth.guessing.backoff import FORGOTTEN_AFTER
from src.auth.guessing.throttles import count_attempt
from src.auth.models import EmailLink, FailureCount, Registration, Session, Throttle
from src.auth.security_events import security_notice
from src.auth.tokens.links import LinkPurpose, LinkTokens, home_url, link_lifetime, link_url
from src.config import Settings
from src.ids import uuid7
from src.jobs.tasks import JobContext, Schedule, Task
from src.sql.session import DatabaseSession
from src.sql.tables import Base
from src.users.mails import send_mail
from src.users.models import HeldUsername, User

DAY = timedelta(days=1)
REGISTRATION_KEPT = timedelta(days=7)
TEMPLATES: dict[LinkPurpose, str] = {
    "confirm": "confirm_email",
    "reset": "reset_password",
    "change": "change_email",
}


class MailLink(BaseModel):
    """Which link to mail; one that does not exist costs the same work, and nobody gets mail."""

    link_id: UUID


class ReplaceLinks(BaseModel):
    """Whose links to replace by a new one in which language; nobody's for an unknown address."""

    user_id: UUID | None
    locale: str


class AlreadyRegistered(BaseModel):
    """Whom to tell that their address is that of an account already."""

    user_id: UUID


async def send_link(
    session: DatabaseSession,
    settings: Settings,
    user_id: UUID,
    locale: str,
    now: datetime,
    *,
    purpose: LinkPurpose = "confirm",
    new_email: str | None = None,
) -> None:
    """Make a link and have it mailed, in the caller's transaction.

    It goes to the account's address, or to the `new_email` that it confirms.
    """
    link = EmailLink(
        user_id=user_id,
        purpose=purpose,
        new_email=new_email,
        locale=locale,
        created_at=now,
        expires_at=now + link_lifetime(settings, purpose),
    )
    await session.insert(link)
    await mail_link.enqueue(session, MailLink(link_id=link.id))


async def mail_no_link(session: DatabaseSession) -> None:
    """Do for an address without a link what is done for one with a link, but the mail."""
    await mail_link.enqueue(session, MailLink(link_id=uuid7()))


async def _mail_link(context: JobContext, job: MailLink) -> None:
    async with context.database.sessions() as session:
        link = await session.get(EmailLink, job.link_id)
        if link is None or link.used_at or link.expires_at <= context.clock.now():
            await _rehearse(context)  # used or replaced meanwhile, or nobody's
            return
        user = await session.get_one(User, link.user_id)
        owner = link.new_email and await session.scalar(
            select(User).where(User.email == link.new_email, User.email_verified_at.is_not(None))
        )
    if owner:  # somebody else's address: they are told, and whoever asked does not learn it
        await _send_about_account(context, "address_in_use", owner)
        return
    purpose = cast("LinkPurpose", link.purpose)
    token = LinkTokens(context.settings).issue(purpose, link.id)
    hours = link_lifetime(context.settings, purpose).total_seconds() / 3600
    # No name: whoever asked for the link may not be the one who reads this.
    await send_mail(
        context,
        to=link.new_email or user.email,
        template=TEMPLATES[purpose],
        locale=link.locale,
        values={
            "link": link_url(context.settings, purpose, token),
            "expires_hours": round(hours),
        },
    )


async def _rehearse(context: JobContext) -> None:
    """What mailing a link costs: the next requests must not be faster where there is none."""
    url = link_url(context.settings, "reset", LinkTokens(context.settings).issue("reset", uuid7()))
    await context.mailer.rehearse(
        template=TEMPLATES["reset"], context={"link": url, "expires_hours": 1}
    )


async def _replace_links(context: JobContext, job: ReplaceLinks) -> None:
    """Leave one live link, however often it is done: the last one.

    The owner of a confirmed account gets no link: they are told that they can sign in.
    """
    now, settings = context.clock.now(), context.settings
    async with context.database.independent_transaction() as session:
        user = await session.scalar(select(User).where(User.id == job.user_id).with_for_update())
        if user is None or not await may_mail(session, settings, "resend", user.id, now):
            await mail_no_link(session)
            return
        if user.email_verified:
            await already_confirmed.enqueue(session, AlreadyRegistered(user_id=user.id))
            return
        await session.execute(
            delete(EmailLink).where(EmailLink.user_id == user.id, EmailLink.purpose == "confirm")
        )
        await send_link(session, settings, user.id, job.locale, now)


async def may_mail(
    session: DatabaseSession, settings: Settings, what: str, user_id: UUID, now: datetime
) -> bool:
    """Count one more mail of a kind to an account, however its address was come by.

    Whoever asks by address and by username gets no more mails than by one of them, and is not told:
    a count for both would tell whose address is whose.
    """
    count, _ = await count_attempt(session, f"{what}-mails:{user_id}", now)
    return count <= settings.email_links_per_hour


async def _send_already_registered(context: JobContext, job: AlreadyRegistered) -> None:
    async with context.database.sessions() as session:
        user = await session.get(User, job.user_id)
    if user:
        await _send_about_account(context, "already_registered", user)


async def _send_already_confirmed(context: JobContext, job: AlreadyRegistered) -> None:
    async with context.database.sessions() as session:
        user = await session.get(User, job.user_id)
    if user and user.is_active:
        await _send_about_account(context, "already_confirmed", user)


async def _send_about_account(context: JobContext, template: str, user: User) -> None:
    """Tell the owner of a confirmed account that somebody wanted its address, or a link to it."""
    await send_mail(
        context,
        to=user.email,
        template=template,
        locale=user.locale,
        values={
            "display_name": user.display_name,
            "sign_in_url": home_url(context.settings),
        },
    )


mail_link = Task("auth.mail_link", MailLink, _mail_link)
replace_links = Task("auth.replace_links", ReplaceLinks, _replace_links)
already_registered = Task("auth.already_registered", AlreadyRegistered, _send_already_registered)
already_confirmed = Task("auth.already_confirmed", AlreadyRegistered, _send_already_confirmed)


async def _forget_what_ended(context: JobContext) -> None:
    """Delete what ended: sessions, links, registrations, unconfirmed accounts, counts, holds."""
    now = context.clock.now()
    registered_long_ago = now - REGISTRATION_KEPT
    never_confirmed = (
        User.email_verified_at.is_(None),
        User.created_at <= registered_long_ago,
        # The owner may have registered last night what somebody else did a week ago.
        ~exists().where(Registration.user_id == User.id),
    )
    which: list[tuple[type[Base], Sequence[ColumnElement[bool]]]] = [
        (Session, [or_(Session.expires_at <= now, Session.ended_at <= now - DAY)]),
        (EmailLink, [EmailLink.expires_at <= now]),
        (Registration, [Registration.created_at <= registered_long_ago]),
        (Throttle, [Throttle.window_started_at <= now - DAY]),
        (FailureCount, [FailureCount.last_at <= now - FORGOTTEN_AFTER]),
        (HeldUsername, [HeldUsername.held_until <= now]),
    ]
    if context.settings.require_confirmed_email:
        which.append((User, never_confirmed))
    for table, conditions in which:
        [key] = inspect(table).primary_key
        # What somebody holds can go another night: nothing is waited for, so there is no deadlock.
        free = select(key).where(*conditions).with_for_update(skip_locked=True)
        async with context.database.independent_transaction() as session:
            await session.execute(delete(table).where(key.in_(free)))


TASKS: list[Task[Any]] = [
    mail_link,
    replace_links,
    already_registered,
    already_confirmed,
    security_notice,
]
SCHEDULES = [Schedule("auth.forget_what_ended", "23 3 * * *", _forget_what_ended)]
