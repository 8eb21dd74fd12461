"""Accounts on the command line. Each command works in one transaction and returns what to print."""

import argparse
import secrets
from typing import Annotated

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, select

from src.access.permissions import CLIENT_SCOPES, SCOPES
from src.audit import log as audit
from src.auth.models import OAuthClient, Session, SigningKey
from src.auth.sessions.service import end
from src.auth.tokens.jwt import Key
from src.auth.tokens.opaque_tokens import secret_digest
from src.auth.tokens.signing_keys import PUBLISHED_BEFORE, RELOAD_AFTER, rotate, states
from src.clock import Clock
from src.config import Settings
from src.exceptions import NotFoundError
from src.ids import uuid7
from src.schemas import Text
from src.sql.session import DatabaseSession

MAX_NAME_LENGTH = 100
KNOWN_SCOPES = [*CLIENT_SCOPES, *SCOPES]

_name: TypeAdapter[str] = TypeAdapter(Annotated[str, Text(MAX_NAME_LENGTH)])


def describe_keys(parser: argparse.ArgumentParser) -> None:
    """The keys that sign access tokens."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("list", help="List the keys, and what each does.")
    action.set_defaults(run=list_keys)
    action = actions.add_parser("rotate", help="Make a new key, which signs ten minutes later.")
    action.add_argument(
        "--now",
        action="store_true",
        dest="at_once",
        help="it signs at once, though caches of the public keys may not have it yet",
    )
    action.add_argument(
        "--revoke-old",
        action="store_true",
        help="the other keys have leaked: their tokens are refused at once, and the new one signs",
    )
    action.set_defaults(run=rotate_keys)


def describe_clients(parser: argparse.ArgumentParser) -> None:
    """The programs that authenticate themselves with an id and a secret."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    action = actions.add_parser("add", help="Make a client; its secret is shown only here.")
    action.add_argument("name", metavar="NAME", type=_client_name)
    action.add_argument(
        "--scope",
        metavar="SCOPE",
        dest="scopes",
        type=_known_scopes,
        nargs="+",
        action="extend",
        required=True,
        help=f"what it may do at most: {', '.join(KNOWN_SCOPES)}",
    )
    action.set_defaults(run=add_client)
    action = actions.add_parser("list", help="List the clients.")
    action.set_defaults(run=list_clients)
    action = actions.add_parser("remove", help="Remove a client and end its sessions.")
    action.add_argument("client_id", metavar="ID")
    action.set_defaults(run=remove_client)


async def rotate_keys(
    session: DatabaseSession, settings: Settings, clock: Clock, *, at_once: bool, revoke_old: bool
) -> str:
    """Make a new signing key."""
    kid = await rotate(session, settings, clock.now(), at_once=at_once, revoke_old=revoke_old)
    seconds = int(RELOAD_AFTER.total_seconds())
    if revoke_old:
        return f"{kid} signs from now on. Within {seconds} seconds, no older token is taken."
    when = f"{seconds} seconds" if at_once else f"{PUBLISHED_BEFORE.seconds // 60} minutes"
    return f"{kid} signs {when} from now. Older tokens hold until they expire."


async def list_keys(session: DatabaseSession, settings: Settings, clock: Clock) -> str:
    """List the signing keys, the newest first."""
    now = clock.now()
    keys = list(await session.scalars(select(SigningKey).order_by(SigningKey.created_at.desc())))
    if not keys:
        first = Key.private(settings.jwt_private_key.get_secret_value())
        return f"{first.kid}  signs; it is that of JWT_PRIVATE_KEY"
    return "\n".join(f"{key.kid}  {what}" for key, what in states(keys, now))


async def add_client(
    session: DatabaseSession, _: Settings, clock: Clock, *, name: str, scopes: list[str]
) -> str:
    """Make a client."""
    client_id, secret = str(uuid7()), secrets.token_urlsafe(32)
    scope = " ".join(dict.fromkeys(" ".join(scopes).split()))
    session.add(
        OAuthClient(
            id=client_id,
            name=name,
            secret_hash=secret_digest(secret),
            scope=scope,
            created_at=clock.now(),
        )
    )
    await audit.record(
        session,
        "client.added",
        at=clock.now(),
        peer=None,
        client_id=client_id,
        name=name,
        scope=scope,
    )
    return f"client_id={client_id}\nclient_secret={secret}"


async def list_clients(session: DatabaseSession, _: Settings, __: Clock) -> str:
    """List the clients."""
    clients = await session.scalars(select(OAuthClient).order_by(OAuthClient.created_at))
    return "\n".join(f"{client.id}  {client.name}  ({client.scope})" for client in clients)


async def remove_client(
    session: DatabaseSession, _: Settings, clock: Clock, *, client_id: str
) -> str:
    """Remove a client, and end the sessions that belong to it.

    Raises:
        NotFoundError: there is none of this id.
    """
    name = await session.scalar(
        delete(OAuthClient).where(OAuthClient.id == client_id).returning(OAuthClient.name)
    )
    if name is None:
        raise NotFoundError(f"There is no client {client_id}")
    ended = await end(session, clock.now(), "client_removed", Session.client_id == client_id)
    await audit.record(
        session, "client.removed", at=clock.now(), peer=None, client_id=client_id, name=name
    )
    return f"{name} is removed, and {len(ended)} of its sessions ended."


def _client_name(text: str) -> str:
    try:
        return _name.validate_python(text)
    except ValidationError:
        message = f"a name is one line of 1 to {MAX_NAME_LENGTH} characters"
        raise argparse.ArgumentTypeError(message) from None


def _known_scopes(text: str) -> str:
    unknown = [scope for scope in text.split() if scope not in KNOWN_SCOPES]
    if unknown or not text.strip():
        message = f"choose from {', '.join(KNOWN_SCOPES)}"
        raise argparse.ArgumentTypeError(message)
    return text
