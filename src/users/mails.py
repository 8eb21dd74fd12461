"""Mail to the addresses of accounts, and the note at an account whose address takes none."""

import logging
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import update

from src.jobs.tasks import JobContext
from src.mail.gateway import MailRefusedError
from src.users.models import User

logger = logging.getLogger(__name__)


async def send_mail(
    context: JobContext, *, to: str, template: str, locale: str, values: Mapping[str, object]
) -> None:
    """Send a mail of a job, once or, if the job is interrupted, again with the same Message-ID.

    An address that takes no mail ends the job, and is noted at its account until it takes one.

    Raises:
        MailNotSentError: the server is unreachable or refused; the job is tried again.
    """
    try:
        await context.mailer.send(
            to=to, template=template, locale=locale, context=values, key=context.job_key
        )
    except MailRefusedError as error:
        logger.warning("a mail, %s, is not tried again: %s", template, error)
        await _note(context, to, context.clock.now())
    else:
        await _note(context, to, None)


async def _note(context: JobContext, email: str, undeliverable_at: datetime | None) -> None:
    """Note since when; an address that belongs to no account is nobody's to note."""
    noted = User.email_undeliverable_at
    changed = noted.is_(None) if undeliverable_at else noted.is_not(None)
    async with context.database.independent_transaction() as session:
        await session.execute(
            update(User)
            .where(User.email == email, changed)
            .values(email_undeliverable_at=undeliverable_at, version=User.version + 1)
            .execution_options(synchronize_session=False)
        )
