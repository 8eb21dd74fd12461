"""The application: `create_app()` puts the parts together."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from fastapi import Depends, FastAPI

from src.account import feature as account
from src.administration import feature as administration
from src.audit import feature as audit
from src.auth import feature as auth
from src.clock import Clock
from src.comments import feature as comments
from src.config import Settings
from src.database import open_database
from src.events import feature as events
from src.events.tasks import hand_to
from src.http import problems
from src.http.cors import ExactCORSMiddleware, own_origins
from src.http.health import router as health_router
from src.http.json_bodies import refuse_repeated_members
from src.http.middleware import Application, EnvelopeMiddleware, GuardMiddleware
from src.http.page_files import router as page_files_router
from src.http.peer import load_device_names
from src.http.plans.middleware import PlanMiddleware
from src.http.queries import refuse_ignored_query
from src.idempotency import feature as idempotency
from src.jobs.tasks import JobContext
from src.jobs.worker import Worker
from src.limits.rate_limits import RateLimitMiddleware, RateLimits
from src.mail.gateway import Mailer
from src.mail.router import router as mailbox_router
from src.openapi import document, pages
from src.personal_tokens import feature as personal_tokens
from src.posts import feature as posts
from src.users import feature as users
from src.webhooks import feature as webhooks

API_PREFIX = "/api/v1"
# The order of their tags in the OpenAPI document, as a newcomer needs them.
FEATURES = [
    auth.FEATURE,
    users.FEATURE,
    account.FEATURE,
    posts.FEATURE,
    comments.FEATURE,
    personal_tokens.FEATURE,
    administration.FEATURE,
    webhooks.FEATURE,
    idempotency.FEATURE,
    audit.FEATURE,
    events.FEATURE,
]
TAGS = {name: text for feature in FEATURES for name, text in feature.tags.items()} | {
    "health": "Whether the process runs, and is ready to serve."
}
API_ROUTERS = [router for feature in FEATURES for router in feature.routers]
PERSONAL_DATA = [section for feature in FEATURES for section in feature.personal_data]
SUBSCRIBERS = [subscriber for feature in FEATURES for subscriber in feature.subscribers]
TASKS = [*(task for feature in FEATURES for task in feature.tasks), hand_to(SUBSCRIBERS)]
SCHEDULES = [schedule for feature in FEATURES for schedule in feature.schedules]
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
GC_THRESHOLDS = (10_000, 20, 20)  # a request makes hundreds of objects that die with it


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> FastAPI:
    """The ASGI application.

    Raises:
        pydantic.ValidationError: a setting is wrong or missing.
    """
    settings = settings or Settings()
    app = Application(
        title=settings.brand_name,
        version="0.1.0",
        description="The backend that a single-page app moves into.",
        contact={"name": "Plaza contributors"},
        license_info={"name": "MIT", "identifier": "MIT"},
        servers=[{"url": settings.public_path or "/"}],
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        generate_unique_id_function=document.operation_id,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # `Application` goes past it
    )
    app.state.settings = settings
    app.state.clock = clock or Clock()
    app.state.personal_data = PERSONAL_DATA
    refusals = [Depends(refuse_ignored_query), Depends(refuse_repeated_members)]
    for router in API_ROUTERS:
        app.include_router(router, prefix=API_PREFIX, dependencies=refusals)
    features = [page for feature in FEATURES for page in feature.pages]
    for page in [health_router, page_files_router, *features]:
        app.include_router(page)
    if settings.environment != "production":
        app.include_router(mailbox_router)
    pages.install(app)
    problems.install(app)
    document.install(app)
    app.add_middleware(PlanMiddleware, api=app)
    app.add_middleware(GuardMiddleware, settings=settings, routes=app.routes)
    if settings.rate_limit_enabled:
        limits = app.state.rate_limits = RateLimits(settings, app.state.clock)
        app.add_middleware(RateLimitMiddleware, settings=settings, limits=limits)
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
    async with open_database(settings) as database, AsyncExitStack() as stack:
        app.state.database = database
        app.state.authenticators = []
        for feature in FEATURES:
            if feature.lifespan:
                await stack.enter_async_context(feature.lifespan(app))
        context = JobContext(settings, database, Mailer(settings), app.state.clock)
        worker = Worker(TASKS, SCHEDULES, context)
        worker_task = asyncio.create_task(worker.run()) if settings.worker_in_server else None
        gc.freeze()  # what start-up made lives as long as the process: do not walk it again
        gc.set_threshold(*GC_THRESHOLDS)
        try:
            with suppress(asyncio.CancelledError):  # the second Ctrl+C: all is closed as ever
                yield
        finally:
            worker.stop()
            if worker_task:
                with suppress(asyncio.CancelledError):
                    await worker_task
            if settings.rate_limit_enabled:
                await app.state.rate_limits.close()
            gc.unfreeze()
