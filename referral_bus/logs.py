"""Logs: one JSON object a line on standard error, with codes and opaque ids only. Never a payload, never locals."""

import logging
import sys
from typing import Any, Protocol, TextIO

import structlog


class Log(Protocol):
    """What the code asks of a logger. Values are codes, counts, agencies and opaque ids."""

    def info(self, event: str, **values: Any) -> Any: ...

    def warning(self, event: str, **values: Any) -> Any: ...

    def error(self, event: str, **values: Any) -> Any: ...


def make_log(stream: TextIO = sys.stderr, **bound: str) -> Log:
    """A logger that writes to `stream`; `bound` stands in every line, such as the agency's code."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    )
    log: Log = logger.bind(**bound)
    return log


def quiet_libraries() -> None:
    """Libraries log warnings and worse only: kafka's DEBUG lines hold keys and values, SQLAlchemy's hold rows."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s")
    for name in ("kafka", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def defect(error: BaseException) -> str:
    """Where a defect of ours was raised: type, file and line, never its message, which may quote a value."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}" if place else "?"
    return f"{type(error).__name__} in {where}"
