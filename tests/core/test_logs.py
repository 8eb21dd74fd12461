"""Logs: one JSON object a line, with the request it belongs to."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from src.config import PROJECT_ROOT, Settings
from src.logs import JsonFormatter
from tests.support import small_app, talking_to


class Log:
    """A logger of the test's own, and what it wrote."""

    def __init__(self) -> None:
        self._output = io.StringIO()
        self.handler = logging.StreamHandler(self._output)
        self.handler.setFormatter(JsonFormatter())
        self.logger = logging.getLogger("tests.core.logs")
        self.logger.addHandler(self.handler)
        self.logger.propagate = False

    def lines(self) -> list[dict[str, Any]]:
        """Every line, which has to be a JSON object."""
        *lines, rest = self._output.getvalue().split("\n")
        assert rest == ""
        return [json.loads(line) for line in lines]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A log in which an error of logging itself is an error of the test."""
    log = Log()

    def fail(record: logging.LogRecord) -> None:
        raise AssertionError(f"{record!r} could not be written")

    monkeypatch.setattr(log.handler, "handleError", fail)
    yield log
    log.logger.removeHandler(log.handler)


def test_a_line_says_when_where_and_what(log: Log) -> None:
    log.logger.warning("%s is %d", "answer", 42)
    [line] = log.lines()
    assert set(line) == {"time", "level", "logger", "message"}
    assert line["level"] == "warning"
    assert line["logger"] == "tests.core.logs"
    assert line["message"] == "answer is 42"
    assert line["time"].endswith("Z")
    assert abs(datetime.fromisoformat(line["time"]) - datetime.now(UTC)).total_seconds() < 10


def test_an_error_comes_with_its_traceback_on_the_same_line(log: Log) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.logger.exception("it failed")
    [line] = log.lines()
    assert line["message"] == "it failed"
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert line["traceback"].endswith("ValueError: first\nsecond")


@pytest.mark.parametrize(
    "text",
    ["a\nb", '{"level": "error"}', "\x1b[31m", "\0", "\u2028", "💥"],
    ids=ascii,
)
def test_a_hostile_text_stays_on_its_line_and_is_not_lost(log: Log, text: str) -> None:
    log.logger.warning("got %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        log.logger.exception("failed")
    first, second = log.lines()
    assert first["message"].startswith("got ")
    assert first["level"] == "warning"
    assert "ValueError" in second["traceback"]


async def test_a_line_written_during_a_request_has_its_id(
    log: Log, plain_settings: Settings
) -> None:
    app = small_app(plain_settings)

    @app.get("/log")
    async def write() -> None:
        log.logger.info("inside")

    log.logger.setLevel(logging.INFO)
    async with talking_to(app) as client:
        await client.get("/log", headers={"X-Request-ID": "first"})
        await client.get("/log", headers={"X-Request-ID": "second"})
    log.logger.info("outside")
    assert [line.get("request_id") for line in log.lines()] == ["first", "second", None]


@pytest.mark.parametrize("access_log", [True, False])
async def test_the_access_log_has_a_line_a_request_if_asked_for(
    plain_settings: Settings, *, access_log: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "src.access")
    app = small_app(plain_settings.model_copy(update={"access_log": access_log}))
    async with talking_to(app) as client:
        await client.get("/some/path/?token=private")
    written = [record.getMessage() for record in caplog.records if record.name == "src.access"]
    assert len(written) == access_log
    for line in written:
        assert line.startswith("GET /some/path/ 404 ")
        assert "private" not in line


USES_LOGGING_INI = """
import logging, logging.config, sys
logging.config.fileConfig("logging.ini", disable_existing_loggers=False)
logging.getLogger("src.anything").info("ours")
logging.getLogger("src.anything").debug("too fine")
logging.getLogger("uvicorn.error").info("the server's")
logging.getLogger("uvicorn.access").info("silent")
logging.getLogger("pgqueuer.qm").info("too chatty")
try:
    raise ValueError("half a pair: \\ud800")
except ValueError as error:
    logging.getLogger("src.anything").exception("failed: %s", error)
"""


def test_logging_ini_writes_json_to_standard_error() -> None:
    program = [sys.executable, "-W", "error", "-c", USES_LOGGING_INI]
    done = subprocess.run(program, cwd=PROJECT_ROOT, capture_output=True, check=True, text=True)
    assert done.stdout == ""
    first, second, third = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["message"], second["message"]) == ("ours", "the server's")
    assert third["message"].startswith("failed: half a pair: ")
    assert "ValueError" in third["traceback"]


def test_fields_of_the_caller_and_the_stack_are_kept(log: Log) -> None:
    log.logger.warning("slow", extra={"job_id": 7, "level": "x"}, stack_info=True)
    [line] = log.lines()
    assert (line["job_id"], line["level"]) == (7, "warning")
    assert "test_logs.py" in line["stack"]


def test_a_field_that_json_cannot_hold_does_not_lose_the_line(log: Log) -> None:
    log.logger.warning("odd", extra={"half": "\ud800", "whole": 1 << 70})
    [line] = log.lines()
    assert (line["message"], line["half"]) == ("odd", "?")
