"""Short ways to register, confirm, sign in and refresh over HTTP."""

import base64
import json
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Executable, text

from tests.support import PASSWORD, problem_type

REGISTER = "/api/v1/auth/register"
CONFIRM = "/api/v1/auth/email/confirm"
RESEND = "/api/v1/auth/email/resend"
TOKEN = "/api/v1/auth/token"
LOGOUT = "/api/v1/auth/logout"
ME = "/api/v1/users/me"

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
ONE_REQUEST_ID = {"X-Request-ID": "the-same"}  # so that whole answers can be compared


async def register(client: httpx.AsyncClient, email: str, **fields: str) -> str:
    """Register an address, by default with `PASSWORD`; the registration's secret."""
    answer = await client.post(REGISTER, json={"email": email, "password": PASSWORD} | fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["registration_secret"])


async def confirm(client: httpx.AsyncClient, token: str, **proof: str) -> httpx.Response:
    """Follow a link with a `registration_secret` or a `password`."""
    return await client.post(CONFIRM, json={"token": token} | proof)


async def sign_in(
    client: httpx.AsyncClient, username: str, password: str = PASSWORD, **form: str
) -> httpx.Response:
    """The token endpoint's answer to a password."""
    form = {"username": username, "password": password} | form
    return await client.post(TOKEN, data=form, headers=ONE_REQUEST_ID)


async def refresh(client: httpx.AsyncClient, refresh_token: str, **form: str) -> httpx.Response:
    """The token endpoint's answer to a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token} | form
    return await client.post(TOKEN, data=form)


async def whoami(client: httpx.AsyncClient, token: str | bytes) -> httpx.Response:
    """What a bearer token opens."""
    bearer = token if isinstance(token, bytes) else token.encode()
    return await client.get(ME, headers={b"Authorization": b"Bearer " + bearer})


def pair(answer: httpx.Response) -> tuple[str, str]:
    """The access token and the refresh token of a successful answer."""
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    return tokens["access_token"], tokens["refresh_token"]


def seen(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Everything a caller can see of an answer."""
    return answer.status_code, dict(answer.headers), answer.content


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status and the stable code of a failure."""
    assert answer.headers.get("content-type") == problem_type(answer), answer.text
    return answer.status_code, answer.json()["code"]


def segment(token: str, number: int) -> dict[str, Any]:
    """The header (0) or the claims (1) of a JWT, unverified."""
    encoded = token.split(".")[number]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(encoded + "=="))
    return decoded


async def change(app: FastAPI, statement: Executable) -> None:
    """Do in the database what no route does yet."""
    async with app.state.database.independent_transaction() as session:
        await session.execute(statement)


async def rows(app: FastAPI, sql: str) -> list[Any]:
    """Look at what is stored; the first column of each row."""
    async with app.state.database.sessions() as session:
        return list(await session.scalars(text(sql)))
