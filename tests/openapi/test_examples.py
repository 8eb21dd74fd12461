"""Every body that the documentation suggests can be sent as it stands."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.auth.mfa.phone import Phone
from tests.auth.oauth.support import add_client
from tests.openapi.test_document import operations
from tests.support import Accounts, FrozenClock, Inbox, all_jobs_done

V1 = "/api/v1"
FORM = "application/x-www-form-urlencoded"
ANN, NEW_ADDRESS = "ann@example.com", "ann.new@example.com"


def takes_a_token(operation: dict[str, Any]) -> bool:
    """Whether an access token means something to an operation."""
    return any("BearerToken" in requirement for requirement in operation["security"])


class Reader:
    """Sends what the document suggests, and fills in only what was mailed or shown to them."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, inbox: Inbox) -> None:
        self._app = app
        self._client = client
        self._inbox = inbox
        self._document = app.openapi()
        self.headers: dict[str, str] = {}
        self.unsent = {
            name for name, operation in operations(self._document) if "requestBody" in operation
        }

    async def send(
        self,
        operation: str,
        status: int | None = None,
        media_type: str = "application/json",
        path_values: tuple[str, ...] = (),
        **filled_in: str,
    ) -> Any:
        """Send an operation's example, and return the answer's document."""
        method, _, path = operation.partition(" ")
        self.unsent.discard(f"{method} {V1}{path}")
        described = self._document["paths"][V1 + path][method.lower()]
        body = described["requestBody"]["content"][media_type]
        url = V1 + re.sub(r"\{\w+\}", "{}", path).format(*path_values)
        headers = {"Origin": "http://plaza.test"}
        if takes_a_token(described):
            headers |= self.headers
        document = body["example"] | filled_in
        content: dict[str, Any] = {"data" if media_type == FORM else "json": document}
        answer = await self._client.request(method, url, headers=headers, **content)
        assert answer.is_success, f"{operation}: {answer.text}"
        assert status in {None, answer.status_code}, operation
        return answer.json() if answer.content else None

    async def sign_in(self) -> str:
        """Take the tokens that the example of the token endpoint gives."""
        tokens = await self.send("POST /auth/token", 200, FORM)
        self.headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return str(tokens["refresh_token"])

    async def mailed(self, to: str) -> str:
        """The token of the newest link mailed to an address."""
        await all_jobs_done(self._app)
        mails = self._inbox.mailbox.messages(to)
        return next(
            found[1] for mail in mails if (found := re.search("token=([^ \n]+)", mail.text))
        )


@pytest.fixture
def reader(app: FastAPI, client: httpx.AsyncClient, inbox: Inbox) -> Reader:
    """A reader of the document."""
    return Reader(app, client, inbox)


async def register(reader: Reader, **filled_in: Any) -> None:
    """Register, confirm and sign in."""
    reader.headers = {}
    await reader.send("POST /auth/register", 202, **filled_in)
    await reader.send("POST /auth/email/confirm", 204, token=await reader.mailed(ANN))
    await reader.sign_in()


async def use_a_second_factor(reader: Reader, clock: FrozenClock) -> None:
    """Turn it on, get further recovery codes, turn it off."""
    shown = await reader.send("POST /users/me/mfa/totp", 200)
    phone = Phone(shown["secret"], clock)
    await reader.send("POST /users/me/mfa/totp/confirm", 200, code=phone.code())
    clock.advance(timedelta(seconds=30))
    await reader.send("POST /users/me/mfa/recovery-codes", 200, code=phone.code())
    clock.advance(timedelta(seconds=30))
    await reader.send("DELETE /users/me/mfa/totp", 204, code=phone.code())


async def test_every_example_works_as_it_stands(
    reader: Reader, app: FastAPI, accounts: Accounts, clock: FrozenClock
) -> None:
    await reader.send("POST /auth/register", 202)
    await reader.send("POST /auth/email/resend", 202)
    await register(reader)
    for media_type in (FORM, "application/json"):
        await reader.send("POST /auth/web/login", 200, media_type)
    await reader.send("PATCH /users/me", 200)
    post = await reader.send("POST /posts", 201)
    await reader.send("PATCH /posts/{post_id}", 200, path_values=(post["slug"],))
    comment = await reader.send("POST /posts/{post_id}/comments", 201, path_values=(post["id"],))
    await reader.send("PATCH /comments/{comment_id}", 200, path_values=(comment["id"],))
    await reader.send("POST /users/me/tokens", 201)
    await use_a_second_factor(reader, clock)
    await reader.send("POST /users/me/email", 202)
    assert await reader.mailed(NEW_ADDRESS)

    client_id, client_secret = await add_client(app, "tokens:introspect")
    refresh_token = await reader.sign_in()
    await reader.send(
        "POST /auth/introspect",
        200,
        FORM,
        token=refresh_token,
        client_id=client_id,
        client_secret=client_secret,
    )
    await reader.send("POST /auth/revoke", 200, FORM, token=refresh_token)
    await reader.sign_in()
    await reader.send("POST /auth/logout", 204)

    await accounts.add("root", roles=("admin",))
    reader.headers = (await accounts.sign_in("root")).headers
    await reader.send("PATCH /users/{user}", 200, path_values=(post["author"]["id"],))
    webhook = await reader.send("POST /webhooks", 201)
    await reader.send("PATCH /webhooks/{webhook_id}", 200, path_values=(webhook["id"],))
    await reader.sign_in()
    await reader.send("DELETE /users/me", 204)

    await register(reader, username="another")  # the first one is held for a while
    await reader.send("POST /users/me/password", 204)
    await reader.send("POST /auth/password/forgot", 202)
    await reader.send("POST /auth/password/reset", 204, token=await reader.mailed(ANN))

    reader.headers = (await accounts.sign_in("carl")).headers
    # Of any other feature: what is made, and then what is changed, by the id of that.
    made: dict[str, str] = {}
    for operation in sorted(reader.unsent, key=lambda name: (name.count("{"), name)):
        method, _, path = operation.replace(V1, "", 1).partition(" ")
        collection = path.partition("/{")[0]
        ids = (made[collection],) if "{" in path else ()
        answer = await reader.send(f"{method} {path}", path_values=ids)
        if answer and "id" in answer:
            made[path] = answer["id"]
