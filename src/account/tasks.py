"""Background jobs of one's own account."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, select

from src.auth.links import home_url
from src.auth.models import EmailLink
from src.auth.tasks import mail_no_link, send_link
from src.jobs import JobContext, Task
from src.users.models import User


class ResetLink(BaseModel):
    """Whom to mail a link that sets a new password; nobody for an unknown address."""

    user_id: UUID | None


async def _send_reset_link(context: JobContext, job: ResetLink) -> None:
    """Leave one live link, however often it is done: the last one."""
    async with context.database.independent_transaction() as session:
        user = await session.scalar(
            select(User).where(User.id == job.user_id, User.is_active).with_for_update()
        )
        if user is None:
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
                context.clock.now(),
                purpose="reset",
            )
            return
    # Somebody else may have opened this account: the owner of the address must not be given it.
    await context.mailer.send(
        to=user.email,
        template="register_again",
        locale=user.locale,
        context={"home_url": home_url(context.settings)},
    )


reset_link = Task("account.reset_link", ResetLink, _send_reset_link)

TASKS: list[Task[Any]] = [reset_link]
