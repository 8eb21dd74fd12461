"""Accounts in requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from src.auth.service import AuthService
from src.auth.tools import AuthTools
from src.dependencies import SessionDep
from src.http.peer import PeerDep


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the application's tools, by which it knows its callers."""
    state = app.state
    tools = state.auth = AuthTools.create(state.settings, state.database, state.clock)
    state.authenticators.append(("", tools.authenticator))
    try:
        yield
    finally:
        await tools.close()


async def get_auth_tools(request: Request) -> AuthTools:
    """The application's tools."""
    tools: AuthTools = request.app.state.auth
    return tools


AuthToolsDep = Annotated[AuthTools, Depends(get_auth_tools)]


async def get_auth(tools: AuthToolsDep, session: SessionDep, peer: PeerDep) -> AuthService:
    """What can be done with accounts in this request."""
    return AuthService(tools, session, peer)


AuthDep = Annotated[AuthService, Depends(get_auth)]
