"""From a personal access token to the caller, by one statement."""

import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import Select, Update, or_, select, update

from src.access.permissions import scopes_of
from src.access.principals import InvalidTokenError, Principal
from src.auth.tokens.opaque_tokens import secret_digest
from src.clock import Clock
from src.database import Database
from src.personal_tokens.models import PersonalToken
from src.personal_tokens.service import delete_all
from src.personal_tokens.tokens import PREFIX, row_id_of
from src.sql.statements import Statement
from src.users.models import User
from src.users.service import ACCOUNT

logger = logging.getLogger(__name__)

USE_NOTED_EVERY = timedelta(minutes=1)


@Statement
def _living_token(token_id: UUID, now: datetime) -> Select[Any]:
    return (
        select(
            *ACCOUNT.columns,
            PersonalToken.secret_hash,
            PersonalToken.scope,
            PersonalToken.last_used_at,
        )
        .join(PersonalToken, PersonalToken.user_id == User.id)
        .where(PersonalToken.id == token_id, PersonalToken.expires_at > now, User.is_active)
    )


# Of several requests at once one writes, and none waits for whoever holds the row.
@Statement
def _note_use(token_id: UUID, noted_before: datetime, now: datetime) -> Update:
    return (
        update(PersonalToken)
        .where(
            PersonalToken.id
            == select(PersonalToken.id)
            .where(
                PersonalToken.id == token_id,
                or_(
                    PersonalToken.last_used_at.is_(None),
                    PersonalToken.last_used_at <= noted_before,
                ),
            )
            .with_for_update(key_share=True, skip_locked=True)
            .scalar_subquery()
        )
        .values(last_used_at=now)
    )


class PersonalTokenAuthenticator:
    """Implements `src.access.principals.Authenticator` with personal access tokens."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def authenticate(self, token: str) -> Principal:
        """The token's owner, with those of its scopes that their roles still allow.

        Raises:
            InvalidTokenError: the token is not ours, deleted or expired, or its user is not active.
        """
        token_id = row_id_of(token)
        if token_id is None:
            raise InvalidTokenError
        now = self._clock.now()
        rows = await _living_token.run(self._database.reads, token_id=token_id, now=now)
        if not rows or not hmac.compare_digest(rows[0]["secret_hash"], secret_digest(token)):
            raise InvalidTokenError
        [row] = rows
        user = ACCOUNT.of_row(row)
        noted_before = now - USE_NOTED_EVERY
        if row["last_used_at"] is None or row["last_used_at"] <= noted_before:
            await self._note_use(token_id, now, noted_before)
        scopes = scopes_of(user["roles"]).intersection(row["scope"].split())
        return Principal(user["id"], None, scopes, user)

    async def _note_use(self, token_id: UUID, now: datetime, noted_before: datetime) -> None:
        """Say that the token is in use; what prevents it does not stop the request."""
        try:
            await _note_use.run(
                self._database.writes, token_id=token_id, noted_before=noted_before, now=now
            )
        except Exception:
            logger.warning("the use of personal token %s is not noted", token_id, exc_info=True)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have callers with a personal access token known by it, until their password is reset."""
    app.state.auth.revocations.append(delete_all)
    authenticator = PersonalTokenAuthenticator(app.state.database, app.state.clock)
    app.state.authenticators.insert(0, (PREFIX, authenticator))  # before that of all other tokens
    yield
