"""The settings that validators go by: pydantic's own context does not come through FastAPI."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from src.config import Settings

_settings: ContextVar[Settings | None] = ContextVar("validation_settings", default=None)


@contextmanager
def validating_with(settings: Settings) -> Iterator[None]:
    """What is validated meanwhile, in this task, is held to these settings."""
    token = _settings.set(settings)
    try:
        yield
    finally:
        _settings.reset(token)


def validation_settings() -> Settings | None:
    """The settings of the application whose request this is; None outside of one."""
    return _settings.get()
