"""Logging: one JSON object a line, with the request's id. `logging.ini` puts it to use."""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

request_id_variable: ContextVar[str | None] = ContextVar("request_id", default=None)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger, message, request id and traceback."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _encodable(record.getMessage()),
        }
        if request_id := request_id_variable.get():
            line["request_id"] = request_id
        if record.exc_info:
            line["traceback"] = _encodable(self.formatException(record.exc_info))
        return orjson.dumps(line, option=orjson.OPT_UTC_Z, default=str).decode()


def _encodable(text: str) -> str:
    """The text without lone surrogates, which a hostile value may bring into a message."""
    return text.encode("utf-8", "replace").decode()
