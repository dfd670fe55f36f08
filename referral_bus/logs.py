"""Logs: one JSON object a line on standard error, with codes and opaque ids only. Never a payload, never locals."""

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TextIO

import structlog


class Log(Protocol):
    """What the code asks of a logger. Values are codes, counts, agencies and opaque ids."""

    def info(self, event: str, **values: Any) -> Any: ...

    def warning(self, event: str, **values: Any) -> Any: ...

    def error(self, event: str, **values: Any) -> Any: ...


class Seldom:
    """Whether something may be said again: the same at most once in `every_s`, so that trouble that lasts fills no
    disk. `clock` is in seconds."""

    MOST = 1000  # things remembered; then all are forgotten

    def __init__(self, clock: Callable[[], float], every_s: float = 60.0) -> None:
        self._clock = clock
        self._every_s = every_s
        self._said: dict[tuple[str, ...], float] = {}

    def __call__(self, *what: str) -> bool:
        now = self._clock()
        if now - self._said.get(what, -self._every_s) < self._every_s:
            return False
        if len(self._said) >= self.MOST:
            self._said.clear()
        self._said[what] = now
        return True


class _Forgiving:
    """A stream whose disk may be full: a line that cannot be written is lost, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def make_log(stream: TextIO = sys.stderr, **bound: str) -> Log:
    """A logger that writes to `stream`; `bound` stands in every line, such as the agency's code."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(_Forgiving(stream)),  # type: ignore[arg-type] # it asks for these two only
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    )
    log: Log = logger.bind(**bound)
    return log


def quiet_libraries() -> None:
    """For the process of a command: no line of a library reaches standard error, neither a log record, nor a warning,
    nor a thread's traceback. They may quote keys, rows and values; what went wrong is told by our own errors. A service
    counts them, see `deploy.app.service.foreign_words`."""
    logging.basicConfig(level=logging.WARNING, handlers=[logging.NullHandler()], force=True)
    logging.lastResort = None
    logging.raiseExceptions = False
    warnings.showwarning = lambda *_, **__: None
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
    for name in ("kafka", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def defect(error: BaseException) -> str:
    """Where a defect of ours was raised: type, file and line, never its message, which may quote a value."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}" if place else "?"
    return f"{type(error).__name__} in {where}"
