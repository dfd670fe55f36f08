"""Logs: one JSON object a line on standard error, with codes and opaque ids only. No line holds a payload or the local
variables of a frame."""

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TextIO

import structlog


class Log(Protocol):
    """The methods of a logger that the code uses. Values are codes, counts, agencies and opaque ids."""

    def info(self, event: str, **values: Any) -> Any: ...

    def warning(self, event: str, **values: Any) -> Any: ...

    def error(self, event: str, **values: Any) -> Any: ...


class Seldom:
    """Called with the words of a log line, tells whether to write it: the same words at most once in `every_s` seconds,
    so that lasting trouble does not fill the disk. `clock` gives seconds."""

    MOST = 1000  # remembered lines; at one more all are forgotten

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
    """Wraps a stream whose disk may be full: a line that cannot be written is dropped, and the caller goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def make_log(stream: TextIO = sys.stderr, **bound: str) -> Log:
    """A logger that writes to `stream` and adds the values `bound`, such as the agency's code, to every line."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(_Forgiving(stream)),  # type: ignore[arg-type] # it calls only these two
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    )
    log: Log = logger.bind(**bound)
    return log


def quiet_libraries() -> None:
    """Keeps the libraries of a command's process silent: no log record, warning or thread's traceback of theirs reaches
    standard error, since it may quote keys, rows and values. Our own errors tell what went wrong. A service counts what
    it suppresses; see `deploy.app.service.foreign_words`."""
    logging.basicConfig(level=logging.WARNING, handlers=[logging.NullHandler()], force=True)
    logging.lastResort = None
    logging.raiseExceptions = False
    warnings.showwarning = lambda *_, **__: None
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
    for name in ("kafka", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def defect(error: BaseException) -> str:
    """Where an exception was raised: its type, module and line, never its message, which may quote a value."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_globals.get('__name__', '?')}:{place.tb_lineno}" if place else "?"
    return f"{type(error).__name__} in {where}"
