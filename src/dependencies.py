"""What any feature may ask of the running application."""

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from src.clock import Clock
from src.config import Settings
from src.database import SessionDep
from src.sql.session import DatabaseSession


async def get_settings(request: Request) -> Settings:
    """The application's settings."""
    settings: Settings = request.app.state.settings
    return settings


async def get_clock(request: Request) -> Clock:
    """The application's clock."""
    clock: Clock = request.app.state.clock
    return clock


SettingsDep = Annotated[Settings, Depends(get_settings)]
ClockDep = Annotated[Clock, Depends(get_clock)]


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
