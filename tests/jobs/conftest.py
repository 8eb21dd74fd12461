"""A queue without the tasks of the application."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from src.jobs import worker as jobs
from tests.jobs.support import Desk


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays that a test can wait for."""
    monkeypatch.setattr(jobs, "FIRST_DELAY", timedelta(milliseconds=50))
    monkeypatch.setattr(jobs, "STALE_AFTER", timedelta(seconds=1))
    monkeypatch.setattr(jobs, "LONGEST_POLL", timedelta(milliseconds=200))
    monkeypatch.setattr(jobs, "RESTART_SECONDS", 0.1)


@pytest.fixture
def desk(app: FastAPI, database_url: str) -> Desk:
    """Where to hand in jobs."""
    return Desk(app, database_url)
