"""Short ways to take one's data along, to delete an account, and to wait in a queue of locks."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import update

from src.auth.models import EmailLink, RecoveryCode, Registration, Session, TotpFactor
from src.personal_tokens.models import PersonalToken
from src.users.models import User
from tests.auth.support import ME, rows
from tests.personal_tokens.support import made
from tests.posts.support import POSTS, trash, write
from tests.support import PASSWORD, Account

EXPORT = f"{ME}/export"
PLANTED = b"planted-secret"
# By a foreign key, or by a name that says so.
_USER_COLUMNS = """
SELECT DISTINCT class.relname || '.' || attribute.attname AS name
FROM pg_attribute attribute
JOIN pg_class class ON class.oid = attribute.attrelid
LEFT JOIN pg_constraint reference ON reference.conrelid = class.oid
    AND reference.contype = 'f' AND reference.confrelid = 'users'::regclass
    AND attribute.attnum = ANY (reference.conkey)
WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace
AND attribute.attnum > 0 AND NOT attribute.attisdropped
AND (
    reference.oid IS NOT NULL
    OR attribute.attname ~ '(user|owner|author|actor|member|sender|recipient)(_id)?$|_by$'
)
ORDER BY name
"""


async def delete_account(
    client: httpx.AsyncClient, who: Account, password: str = PASSWORD, **headers: str
) -> httpx.Response:
    """The answer to a deletion of one's account."""
    data = {"current_password": password}
    return await client.request("DELETE", ME, json=data, headers=who.headers | headers)


async def exported(client: httpx.AsyncClient, who: Account) -> dict[str, list[dict[str, Any]]]:
    """One's data."""
    answer = await client.get(EXPORT, headers=who.headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, list[dict[str, Any]]] = answer.json()
    return data


async def populate(app: FastAPI, client: httpx.AsyncClient, who: Account) -> None:
    """Give a signed-in user a row in every table that has rows of users; secrets are `PLANTED`."""
    other = {"username": f"not-{who.username}"}
    for name in (other, {"username": who.username}):  # the one given up is held
        assert (await client.patch(ME, json=name, headers=who.headers)).status_code == 200
    keyed = who.headers | {"Idempotency-Key": f"key-of-{who.username}"}
    post = {"title": f"A draft of {who.username}", "body": "Text"}
    assert (await client.post(POSTS, json=post, headers=keyed)).status_code == 201
    await write(client, who, title=f"News of {who.username}", status="published")
    await trash(client, who, await write(client, who, title=f"Trash of {who.username}"))
    await made(client, who, name=f"token of {who.username}")
    user_id, now = UUID(who.id), app.state.clock.now()
    async with app.state.database.independent_transaction() as session:
        session.add_all(
            [
                Registration(
                    user_id=user_id,
                    opened_account=False,
                    secret_hash=PLANTED,
                    password_hash=PLANTED.decode(),
                    display_name=f"Name of {who.username}",
                    username=None,
                    locale="en",
                    created_at=now,
                ),
                EmailLink(
                    user_id=user_id,
                    purpose="change",
                    new_email=f"{who.username}@new.test",
                    locale="en",
                    created_at=now,
                    expires_at=now + timedelta(hours=1),
                ),
                TotpFactor(
                    user_id=user_id,
                    encrypted_secret=PLANTED,
                    last_step=0,
                    created_at=now,
                    confirmed_at=now,
                ),
                RecoveryCode(user_id=user_id, code_hash=PLANTED),
                RecoveryCode(user_id=user_id, code_hash=PLANTED + b"2"),
            ]
        )
        await session.execute(
            update(Session).where(Session.user_id == user_id).values(refresh_salt=PLANTED)
        )
        await session.execute(
            update(PersonalToken)
            .where(PersonalToken.user_id == user_id)
            .values(secret_hash=PLANTED)
        )
        await session.execute(
            update(User).where(User.id == user_id).values(password_hash=PLANTED.decode())
        )


async def tables_of_users(app: FastAPI) -> dict[str, list[str]]:
    """Every table that names users, and by which columns."""
    found: dict[str, list[str]] = {"users": ["id"]}
    for name in await rows(app, _USER_COLUMNS):
        table, column = name.split(".")
        found.setdefault(table, []).append(column)
    return found
