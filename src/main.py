"""The application: `create_app()` puts the parts together."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI

from src.account.router import router as account_router
from src.administration.router import router as administration_router
from src.audit import personal_data as audit_data
from src.auth import personal_data as auth_data
from src.auth import tasks as auth_tasks
from src.auth.dependencies import Credentials
from src.auth.mfa.router import router as mfa_router
from src.auth.oauth.router import router as oauth_router
from src.auth.oauth.router import well_known_router
from src.auth.pages import router as auth_pages_router
from src.auth.passwords import tasks as account_tasks
from src.auth.passwords.router import router as passwords_router
from src.auth.registration.router import router as registration_router
from src.auth.sessions.router import router as sessions_router
from src.auth.sign_in.origins import own_origins
from src.auth.sign_in.router import router as sign_in_router
from src.auth.sign_in.web_router import router as web_sign_in_router
from src.clock import Clock
from src.config import Settings
from src.database import open_database
from src.http import problems
from src.http.cors import ExactCORSMiddleware
from src.http.health import router as health_router
from src.http.json_bodies import refuse_repeated_members
from src.http.middleware import EnvelopeMiddleware, GuardMiddleware
from src.http.peer import load_device_names
from src.http.plans import PlanMiddleware
from src.http.queries import refuse_ignored_query
from src.idempotency import personal_data as idempotency_data
from src.idempotency import tasks as idempotency_tasks
from src.jobs.tasks import JobContext, Task
from src.jobs.worker import Worker
from src.limits.rate_limits import RateLimitMiddleware, RateLimits
from src.mail.gateway import Mailer
from src.mail.router import router as mailbox_router
from src.openapi import document as openapi
from src.openapi import pages as docs
from src.personal_tokens import personal_data as personal_tokens_data
from src.personal_tokens import tasks as personal_tokens_tasks
from src.personal_tokens.authenticator import PersonalTokenAuthenticator
from src.personal_tokens.router import router as personal_tokens_router
from src.personal_tokens.tokens import PREFIX as PERSONAL_TOKEN_PREFIX
from src.posts import personal_data as posts_data
from src.posts.router import router as posts_router
from src.users import personal_data as users_data
from src.users.router import router as users_router

API_PREFIX = "/api/v1"
# The first match counts: /users/{user} comes after /users/me.
API_ROUTERS = [
    registration_router,
    sign_in_router,
    web_sign_in_router,
    sessions_router,
    passwords_router,
    mfa_router,
    oauth_router,
    account_router,
    personal_tokens_router,
    posts_router,
    users_router,
    administration_router,
]
CORS_RESPONSE_HEADERS = [
    "ETag",
    "Link",
    "Location",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
]
# Where a POST may send mail.
MAILING_PATHS = [
    f"{API_PREFIX}/auth/register",
    f"{API_PREFIX}/auth/email/resend",
    f"{API_PREFIX}/auth/password/forgot",
    f"{API_PREFIX}/users/me/email",
    f"{API_PREFIX}/users/me/tokens",
]
# The sections of GET /users/me/export, in their order.
PERSONAL_DATA = [
    *users_data.PERSONAL_DATA,
    *auth_data.PERSONAL_DATA,
    *personal_tokens_data.PERSONAL_DATA,
    *posts_data.PERSONAL_DATA,
    *idempotency_data.PERSONAL_DATA,
    *audit_data.PERSONAL_DATA,
]
GC_THRESHOLDS = (10_000, 20, 20)  # a request makes hundreds of objects that die with it
TASKS: list[Task[Any]] = [*account_tasks.TASKS, *auth_tasks.TASKS]
SCHEDULES = [
    *auth_tasks.SCHEDULES,
    *idempotency_tasks.SCHEDULES,
    *personal_tokens_tasks.SCHEDULES,
]


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> FastAPI:
    """The ASGI application.

    Raises:
        pydantic.ValidationError: a setting is wrong or missing.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="Plaza",
        version="0.1.0",
        description="The backend that a single-page app moves into.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # nothing exports it yet
    )
    app.state.settings = settings
    app.state.clock = clock or Clock()
    app.state.personal_data = PERSONAL_DATA
    refusals = [Depends(refuse_ignored_query), Depends(refuse_repeated_members)]
    for router in API_ROUTERS:
        app.include_router(router, prefix=API_PREFIX, dependencies=refusals)
    app.include_router(health_router)
    app.include_router(auth_pages_router)
    app.include_router(well_known_router)
    if settings.environment != "production":
        app.include_router(mailbox_router)
    docs.install(app)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(PlanMiddleware, routers=API_ROUTERS, prefix=API_PREFIX)
    app.add_middleware(GuardMiddleware, settings=settings, routers=API_ROUTERS, prefix=API_PREFIX)
    if settings.rate_limit_enabled:
        limits = app.state.rate_limits = RateLimits(settings, app.state.clock)
        app.add_middleware(
            RateLimitMiddleware, settings=settings, limits=limits, mailing=MAILING_PATHS
        )
    if settings.cors_origins or settings.frontend_url:
        app.add_middleware(
            ExactCORSMiddleware,
            allow_origins=sorted(own_origins(settings)),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=settings.cors_allowed_headers,
            allow_credentials=True,  # the cookies of /auth/web; origins are exact
            expose_headers=CORS_RESPONSE_HEADERS,
            max_age=600,
        )
    app.add_middleware(EnvelopeMiddleware, settings=settings)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the process needs, run the worker beside the server, close in reverse order."""
    settings: Settings = app.state.settings
    load_device_names()
    async with open_database(settings) as database:
        app.state.database = database
        credentials = app.state.credentials = Credentials.create(
            settings, database, app.state.clock
        )
        app.state.authenticators = [
            (PERSONAL_TOKEN_PREFIX, PersonalTokenAuthenticator(database, app.state.clock)),
            ("", credentials.authenticator),
        ]
        context = JobContext(settings, database, Mailer(settings), app.state.clock)
        worker = Worker(TASKS, SCHEDULES, context)
        worker_task = asyncio.create_task(worker.run()) if settings.worker_in_server else None
        gc.freeze()  # what start-up made lives as long as the process: do not walk it again
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            yield
        finally:
            worker.stop()
            if worker_task:
                await worker_task
            credentials.hasher.close()
            await credentials.password_policy.close()
            if settings.rate_limit_enabled:
                await app.state.rate_limits.close()
            gc.unfreeze()
