"""Short ways to change passwords and addresses over HTTP, and to make requests meet."""

import httpx

from tests.auth.support import ONE_REQUEST_ID
from tests.support import PASSWORD, Account

PASSWORD_PATH = "/api/v1/users/me/password"
EMAIL_PATH = "/api/v1/users/me/email"
FORGOT = "/api/v1/auth/password/forgot"
RESET = "/api/v1/auth/password/reset"

NEW_PASSWORD = "a heron in the shallows"
INVALID_TOKEN = (400, "invalid_token")
ALREADY_CONFIRMED = (400, "email_already_confirmed")
WRONG_PASSWORD = (400, "wrong_password")


async def change_password(
    client: httpx.AsyncClient,
    account: Account,
    new_password: str = NEW_PASSWORD,
    current_password: str = PASSWORD,
) -> httpx.Response:
    """Change one's own password."""
    body = {"current_password": current_password, "new_password": new_password}
    headers = account.headers | ONE_REQUEST_ID
    return await client.post(PASSWORD_PATH, json=body, headers=headers)


async def change_email(
    client: httpx.AsyncClient, account: Account, new_email: str, current_password: str = PASSWORD
) -> httpx.Response:
    """Ask for a change of one's own address."""
    body = {"new_email": new_email, "current_password": current_password}
    return await client.post(EMAIL_PATH, json=body, headers=account.headers | ONE_REQUEST_ID)


async def forgot(client: httpx.AsyncClient, name: str) -> httpx.Response:
    """Ask for a link that sets a new password, by address or username."""
    field = "email" if "@" in name else "username"
    return await client.post(FORGOT, json={field: name}, headers=ONE_REQUEST_ID)


async def reset(
    client: httpx.AsyncClient, token: str, new_password: str = NEW_PASSWORD
) -> httpx.Response:
    """Set a new password by a link."""
    body = {"token": token, "new_password": new_password}
    return await client.post(RESET, json=body, headers=ONE_REQUEST_ID)
