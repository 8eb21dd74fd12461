"""Accounts: registering, signing in, sessions and tokens."""

from src.auth import dependencies, pages, personal_data, tasks
from src.auth.mfa.router import router as mfa_router
from src.auth.oauth.router import router as oauth_router
from src.auth.oauth.router import well_known_router
from src.auth.passwords import tasks as password_tasks
from src.auth.passwords.router import router as passwords_router
from src.auth.registration.router import router as registration_router
from src.auth.sessions.router import router as sessions_router
from src.auth.sign_in.router import router as sign_in_router
from src.auth.sign_in.web_router import router as web_router
from src.features import Feature

FEATURE = Feature(
    routers=[
        registration_router,
        sign_in_router,
        web_router,
        sessions_router,
        passwords_router,
        mfa_router,
        oauth_router,
    ],
    pages=[pages.router, well_known_router],
    tags={"auth": "Registering, signing in and out, sessions and tokens (OAuth 2.0)."},
    tasks=[*tasks.TASKS, *password_tasks.TASKS],
    schedules=tasks.SCHEDULES,
    personal_data=personal_data.PERSONAL_DATA,
    lifespan=dependencies.lifespan,
)
