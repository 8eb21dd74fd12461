"""What a request leaves to the worker is the same whether an address is known or not.

Otherwise the requests after it would take longer, and tell.
"""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from src.mail import gateway, rendering
from src.mail.rendering import RenderedMail
from tests.account.support import FORGOT
from tests.auth.support import REGISTER, RESEND, change, rows
from tests.support import PASSWORD, Accounts, Inbox, all_jobs_done

JOBS = "SELECT entrypoint FROM pgqueuer_log WHERE status = 'successful' ORDER BY entrypoint"


async def jobs_of(client: httpx.AsyncClient, app: FastAPI, path: str, **body: str) -> list[str]:
    """The jobs that are done because of a request."""
    await change(app, text("DELETE FROM pgqueuer_log"))
    assert (await client.post(path, json=body)).status_code == 202
    await all_jobs_done(app)
    return await rows(app, JOBS)


@pytest.mark.parametrize("path", [FORGOT, RESEND])
async def test_a_mail_or_none(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox, path: str
) -> None:
    await accounts.add("known", confirmed=path == FORGOT)
    known = await jobs_of(client, app, path, email="known@x.test")
    unknown = await jobs_of(client, app, path, email="unknown@x.test")
    assert known == unknown
    assert len(known) == 2
    assert len(inbox.mailbox.messages("known@x.test")) == 1
    assert inbox.mailbox.messages("unknown@x.test") == []


@pytest.mark.parametrize("path", [FORGOT, RESEND])
async def test_a_mail_that_goes_to_nobody_is_written_all_the_same(
    client: httpx.AsyncClient,
    app: FastAPI,
    accounts: Accounts,
    inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    written: list[str] = []

    def render(template: str, *arguments: Any) -> RenderedMail:
        written.append(template)
        return rendering.render(template, *arguments)

    monkeypatch.setattr(gateway, "render", render)
    await accounts.add("known", confirmed=path == FORGOT)
    for name in ("known", "unknown"):
        await jobs_of(client, app, path, email=f"{name}@x.test")
    assert len(written) == 2


async def test_a_registration(
    client: httpx.AsyncClient, app: FastAPI, accounts: Accounts, inbox: Inbox
) -> None:
    await accounts.add("known")
    for name in ("known", "unknown"):
        email = f"{name}@x.test"
        assert len(await jobs_of(client, app, REGISTER, email=email, password=PASSWORD)) == 1
        assert len(inbox.mailbox.messages(email)) == 1
