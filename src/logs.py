"""Logging: one JSON object a line, with the request's id. `logging.ini` puts it to use."""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson

request_id_variable: ContextVar[str | None] = ContextVar("request_id", default=None)


# What every record has, whoever wrote it.
_OF_EVERY_RECORD = logging.makeLogRecord({}).__dict__.keys() | {
    *("message", "asctime", "taskName"),
    "color_message",  # uvicorn's, the message again
}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger, message, request id, traceback and `extra` fields."""
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
        if record.stack_info:
            line["stack"] = _encodable(self.formatStack(record.stack_info))
        extra = {
            name: value
            for name, value in record.__dict__.items()
            if name not in _OF_EVERY_RECORD and name not in line
        }
        try:
            return orjson.dumps(line | extra, option=orjson.OPT_UTC_Z, default=str).decode()
        except TypeError:  # half a character in a field
            plain = {_encodable(name): _encodable(str(value)) for name, value in extra.items()}
            return orjson.dumps(line | plain, option=orjson.OPT_UTC_Z).decode()


def _encodable(text: str) -> str:
    """The text without lone surrogates, which a hostile value may bring into a message."""
    return text.encode("utf-8", "replace").decode()
