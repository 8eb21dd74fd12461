"""Security events: what the audit log keeps, and what the owner of the account gets mail about."""

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel

from src.audit import log as audit
from src.auth.guessing.throttles import count_attempt
from src.auth.tokens.links import forgot_password_url
from src.clock import Clock
from src.http.peer import Peer
from src.jobs.tasks import JobContext, Task
from src.sql.session import DatabaseSession
from src.sql.statements import Runner
from src.users.mails import send_mail
from src.users.models import User

MAX_NOTICES = 10  # of one kind to one account in an hour

# Told to the owner, in the words of templates/mail/security_events.*.jinja.
Notice: TypeAlias = Literal[
    "account.deleted",
    "account.disabled",
    "account.enabled",
    "account.exported",
    "email.change_requested",
    "email.changed",
    "mfa.disabled",
    "mfa.enabled",
    "mfa.recovery_code_used",
    "mfa.recovery_codes_replaced",
    "password.changed",
    "password.reset",
    "password.reset_forced",
    "personal_token.created",
    "roles.changed",
    "session.reuse_detected",
    "sessions.ended_by_administrator",
    "sign_in.new_device",
]


class SecurityNotice(BaseModel):
    """What happened to whose account; all that the mail says, since the account may be gone."""

    event: Notice
    to: str
    locale: str
    display_name: str
    at: datetime
    address: str | None
    device: str


async def _send_notice(context: JobContext, job: SecurityNotice) -> None:
    await send_mail(
        context,
        to=job.to,
        template="security_notice",
        locale=job.locale,
        values=job.model_dump(exclude={"to", "locale", "at"})
        | {
            "at": f"{job.at:%Y-%m-%d %H:%M} UTC",
            "reset_url": forgot_password_url(context.settings),
        },
    )


security_notice = Task("auth.security_notice", SecurityNotice, _send_notice)


class SecurityEvents:
    """Records the security events of one request."""

    def __init__(self, peer: Peer, clock: Clock) -> None:
        self.peer = peer
        self._clock = clock

    async def record(
        self,
        work: Runner,
        action: str,
        user_id: UUID | None,
        *,
        by: UUID | None = None,
        **details: object,
    ) -> None:
        """Write into the audit log, in the caller's transaction; done `by` the user or another."""
        await audit.record(
            work,
            action,
            at=self._clock.now(),
            peer=self.peer,
            actor_id=by or user_id,
            user_id=user_id,
            **details,
        )

    async def tell(
        self,
        session: DatabaseSession,
        notice: Notice,
        user: User,
        *,
        by: UUID | None = None,
        to: str | None = None,
        also_to: str | None = None,
        **details: object,
    ) -> None:
        """Write into the audit log and mail the owner, in the session's transaction.

        `to` is where they read it, if not at the account's address of now, and `also_to` another
        place. `by` an administrator, the mail does not say from where. An address that nobody has
        confirmed may be a stranger's, and the same news all day long would hide other news: such
        mails are not sent.
        """
        await self.record(session, notice, user.id, by=by, **details)
        if not user.email_verified:
            return
        count, _ = await count_attempt(session, f"{notice}:{user.id}", self._clock.now())
        if count > MAX_NOTICES:
            return
        for address in filter(None, (to or user.email, also_to)):
            await security_notice.enqueue(
                session,
                SecurityNotice(
                    event=notice,
                    to=address,
                    locale=user.locale,
                    display_name=user.display_name,
                    at=self._clock.now(),
                    address=None if by else self.peer.address,
                    device="" if by else self.peer.device,
                ),
            )
