"""The settings that validators go by: pydantic's own context does not come through FastAPI."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from src.config import Settings

# Those of the application whose request is served; None outside of one.
validation_settings: ContextVar[Settings | None] = ContextVar("validation_settings", default=None)


@contextmanager
def validating_with(settings: Settings) -> Iterator[None]:
    """What is validated meanwhile, in this task, is held to these settings."""
    token = validation_settings.set(settings)
    try:
        yield
    finally:
        validation_settings.reset(token)
