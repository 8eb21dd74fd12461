"""Background jobs of one's own account."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, select

from src.auth.models import EmailLink
from src.auth.tasks import mail_no_link, may_mail, send_link
from src.auth.tokens.links import home_url
from src.jobs.tasks import JobContext, Task
from src.users.mails import send_mail
from src.users.models import User


class ResetLink(BaseModel):
    """Whom to mail a link that sets a new password; nobody for an unknown address."""

    user_id: UUID | None


class RegisterAgain(BaseModel):
    """Whose owner to tell that nobody has confirmed the account, so that they may start over."""

    user_id: UUID


async def _send_reset_link(context: JobContext, job: ResetLink) -> None:
    """Leave one live link, however often it is done: the last one."""
    async with context.database.independent_transaction() as session:
        user = await session.scalar(
            select(User).where(User.id == job.user_id, User.is_active).with_for_update()
        )
        now = context.clock.now()
        if user is None or not await may_mail(session, context.settings, "forgot", user.id, now):
            await mail_no_link(session)
            return
        if user.email_verified:
            await session.execute(
                delete(EmailLink).where(EmailLink.user_id == user.id, EmailLink.purpose == "reset")
            )
            await send_link(
                session,
                context.settings,
                user.id,
                user.locale,
                now,
                purpose="reset",
            )
        else:
            await register_again.enqueue(session, RegisterAgain(user_id=user.id))


async def _send_register_again(context: JobContext, job: RegisterAgain) -> None:
    """Somebody else may have opened the account: the owner of the address must not be given it."""
    async with context.database.sessions() as session:
        user = await session.get(User, job.user_id)
    if user is None or user.email_verified:
        return
    await send_mail(
        context,
        to=user.email,
        template="register_again",
        locale=user.locale,
        values={"home_url": home_url(context.settings)},
    )


reset_link = Task("account.reset_link", ResetLink, _send_reset_link)
register_again = Task("account.register_again", RegisterAgain, _send_register_again)

TASKS: list[Task[Any]] = [reset_link, register_again]
