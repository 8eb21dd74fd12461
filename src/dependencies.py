"""What any feature may ask of the running application."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from src.clock import Clock
from src.config import Settings
from src.database import Database
from src.sql.pool import Pool
from src.sql.session import DatabaseSession


async def get_settings(request: Request) -> Settings:
    """The application's settings."""
    settings: Settings = request.app.state.settings
    return settings


async def get_clock(request: Request) -> Clock:
    """The application's clock."""
    clock: Clock = request.app.state.clock
    return clock


async def get_database(request: Request) -> Database:
    """The running application's database."""
    database: Database = request.app.state.database
    return database


async def get_reads(request: Request) -> Pool:
    """The pool that answers reads."""
    reads: Pool = request.app.state.database.reads
    return reads


async def get_session(request: Request) -> AsyncIterator[DatabaseSession]:
    """The request's session: one transaction, committed before the response is sent.

    An error in the endpoint rolls it back. No connection is held until the first statement.

    Raises:
        ConflictError: it collides with another transaction, or contradicts what is stored.
        OverloadedError: no connection came free in time.
        DatabaseUnavailableError: none could be opened.
    """
    async with request.app.state.database.sessions() as session:
        yield session
        await session.commit()


SettingsDep = Annotated[Settings, Depends(get_settings)]
ClockDep = Annotated[Clock, Depends(get_clock)]
DatabaseDep = Annotated[Database, Depends(get_database)]
ReadsDep = Annotated[Pool, Depends(get_reads)]
# scope="function": the code after `yield` runs before the response, so a failed commit is an error.
SessionDep = Annotated[DatabaseSession, Depends(get_session, scope="function")]


class Service:
    """Rules and changes of a feature, in the request's transaction, which it never commits."""

    def __init__(self, session: DatabaseSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock


ServiceKind = TypeVar("ServiceKind", bound=Service)


def provides(kind: type[ServiceKind]) -> Any:  # what Depends() gives, which is no type
    """The dependency that is such a service in the request's session."""

    async def service(session: SessionDep, clock: ClockDep) -> ServiceKind:
        return kind(session, clock)

    return Depends(service)
