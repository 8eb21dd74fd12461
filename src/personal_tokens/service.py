"""Rules about personal access tokens."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select

from src.access.permissions import SCOPES
from src.access.principals import InsufficientScopeError, InvalidTokenError, SessionPrincipal
from src.auth.flows import Flow
from src.auth.models import Session
from src.auth.passwords.reauthentication import Reauthentication
from src.auth.tokens.opaque_tokens import secret_digest
from src.exceptions import InvalidInputError, NotFoundError
from src.ids import uuid7
from src.personal_tokens.exceptions import TooManyPersonalTokensError
from src.personal_tokens.models import PersonalToken
from src.personal_tokens.schemas import PersonalTokenCreate
from src.personal_tokens.tokens import new_token
from src.sql.session import DatabaseSession
from src.users.models import User

MAX_LIVING = 50
DEFAULT_LIFETIME = timedelta(days=30)


async def delete_all(session: DatabaseSession, user_id: UUID) -> None:
    """Delete every token of a user."""
    await session.execute(delete(PersonalToken).where(PersonalToken.user_id == user_id))


class PersonalTokenService(Flow):
    """Makes and deletes tokens, in the caller's transaction."""

    async def create(
        self, caller: SessionPrincipal, data: PersonalTokenCreate
    ) -> tuple[PersonalToken, str]:
        """A new token of the caller's, and its text, which is not stored.

        The password is asked for: whoever got hold of an access token must not make of its minutes
        the months of a personal one.

        Raises:
            WrongPasswordError: the password is not the caller's.
            TooManyFailuresError: too many wrong passwords, whatever this one is.
            InsufficientScopeError: a scope that the caller's access token lacks.
            InvalidInputError: it would live for too long.
            InvalidTokenError: the caller's session has ended meanwhile.
            TooManyPersonalTokensError: there are too many living ones.
        """
        scope = " ".join(name for name in SCOPES if name in data.scopes)
        if not caller.scopes.issuperset(data.scopes):
            raise InsufficientScopeError(scope)
        lifetime = self._lifetime(data.expires_in_days)
        now = self._clock.now()
        user = await self._locked_user(caller, data.current_password)
        living = await self._session.scalar(
            select(func.count()).where(
                PersonalToken.user_id == user.id, PersonalToken.expires_at > now
            )
        )
        if living is not None and living >= MAX_LIVING:
            raise TooManyPersonalTokensError
        token_id = uuid7()
        text = new_token(token_id)
        token = PersonalToken(
            id=token_id,
            user_id=user.id,
            name=data.name,
            scope=scope,
            secret_hash=secret_digest(text),
            created_at=now,
            expires_at=now + lifetime,
        )
        await self._session.insert(token)
        await self._events.tell(
            self._session, "personal_token.created", user, token_id=str(token_id), scope=scope
        )
        return token, text

    async def delete(self, user_id: UUID, token_id: UUID) -> None:
        """Delete the user's token; it is dead at the next request.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        deleted = await self._session.scalar(
            delete(PersonalToken)
            .where(PersonalToken.id == token_id, PersonalToken.user_id == user_id)
            .returning(PersonalToken.id)
        )
        if deleted is None:
            raise NotFoundError
        await self._events.record(
            self._session, "personal_token.deleted", user_id, token_id=str(token_id)
        )

    def _lifetime(self, days: int | None) -> timedelta:
        if days is None:
            return min(DEFAULT_LIFETIME, self._settings.personal_token_lifetime)
        lifetime = timedelta(days=days)
        if lifetime > self._settings.personal_token_lifetime:
            days = self._settings.personal_token_lifetime.days
            raise InvalidInputError.at(
                "body", "expires_in_days", type="lifetime_too_long", max=days
            )
        return lifetime

    async def _locked_user(self, caller: SessionPrincipal, current_password: str) -> User:
        """The caller, whose session still lives.

        The lock orders this against other new tokens, which are counted, and against a new
        password, which ends sessions and deletes tokens: whether that was first is seen after it.
        """
        user = await Reauthentication(self._auth).require(
            caller.user_id, caller.session_id, current_password
        )
        living = await self._session.scalar(
            select(Session.id).where(Session.id == caller.session_id, Session.ended_at.is_(None))
        )
        if living is None:
            raise InvalidTokenError
        return user
