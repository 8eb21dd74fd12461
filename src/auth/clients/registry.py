"""Which clients there are: the command line adds and removes them."""

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from sqlalchemy import delete, select

from src.audit import log as audit
from src.auth.models import OAuthClient, Session
from src.auth.sessions.service import end
from src.auth.tokens.opaque_tokens import secret_digest
from src.exceptions import NotFoundError
from src.ids import uuid7
from src.schemas import Text
from src.sql.session import DatabaseSession

MAX_NAME_LENGTH = 100

ClientName = Annotated[str, Text(MAX_NAME_LENGTH)]


async def add_client(
    session: DatabaseSession, now: datetime, name: str, scopes: Iterable[str]
) -> tuple[str, str]:
    """Make a client that may do at most this: its id and secret, which is not to be had later."""
    client_id, secret = str(uuid7()), secrets.token_urlsafe(32)
    scope = " ".join(dict.fromkeys(scopes))
    session.add(
        OAuthClient(
            id=client_id,
            name=name,
            secret_hash=secret_digest(secret),
            scope=scope,
            created_at=now,
        )
    )
    await audit.record(
        session, "client.added", at=now, peer=None, client_id=client_id, name=name, scope=scope
    )
    return client_id, secret


async def list_clients(session: DatabaseSession) -> list[OAuthClient]:
    """Every client, the oldest first."""
    return list(await session.scalars(select(OAuthClient).order_by(OAuthClient.created_at)))


async def remove_client(session: DatabaseSession, now: datetime, client_id: str) -> tuple[str, int]:
    """Remove a client and end its sessions: its name, and how many they were.

    Raises:
        NotFoundError: there is none of this id.
    """
    name = await session.scalar(
        delete(OAuthClient).where(OAuthClient.id == client_id).returning(OAuthClient.name)
    )
    if name is None:
        raise NotFoundError(f"There is no client {client_id}")
    ended = await end(session, now, "client_removed", Session.client_id == client_id)
    await audit.record(session, "client.removed", at=now, peer=None, client_id=client_id, name=name)
    return name, len(ended)
