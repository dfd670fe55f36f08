"""Keeps the output of foreign code out of the service's log. The agency's handler and the libraries run in the
service's process, and their output may hold a person's name. Of such output only this is logged: its way, its place in
the code, and how often it came.

way         what is kept out
logging     records of Python's `logging`, whatever handlers are set
warnings    Python's warnings
stdout      what is printed, from Python, from C or from a child process
stderr      the same
thread      an exception that ends a thread
unraisable  an exception in `__del__` or in a callback
"""

import io
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from deploy.app import output
from referral_bus.logs import Log, Seldom, defect

_CARRIERS = ("logging", "warnings", "threading", "traceback", "io", "codecs", "contextlib", __name__)
"""Modules that only pass output on; the place that is logged is that of their caller."""


class ForeignWords:
    """Counts foreign output, and logs for each place at most once a minute how often it came since."""

    MOST = 1000  # places remembered; then all are forgotten

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._seldom = Seldom(clock)
        self._heard: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def heard(self, way: str, where: str) -> None:
        """Counts output that came by `way` from the place `where`, and logs it unless that was done within a minute."""
        with self._lock:
            if len(self._heard) >= self.MOST:
                self._heard.clear()
            count = self._heard.get((way, where), 0) + 1
            tell = self._seldom(way, where)
            self._heard[way, where] = 0 if tell else count
        if tell:
            self._log.warning("foreign_words", way=way, where=where, count=count)

    def logged(self, record: logging.LogRecord) -> None:
        self.heard("logging", f"{Path(record.pathname).stem}:{record.lineno}")

    def warned(
        self, message: object, category: object, filename: str, lineno: int, file: object = None, line: object = None
    ) -> None:
        del message, category, file, line
        self.heard("warnings", f"{Path(filename).stem}:{lineno}")

    def thread_died(self, failed: threading.ExceptHookArgs) -> None:
        self.heard("thread", "?" if failed.exc_value is None else defect(failed.exc_value))

    def not_raised(self, failed: Any) -> None:
        self.heard("unraisable", "?" if failed.exc_value is None else defect(failed.exc_value))


class _CountingHandler(logging.Handler):
    def __init__(self, words: ForeignWords) -> None:
        super().__init__()
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        self._words.logged(record)


class _Sink(io.RawIOBase):
    """A stream that drops what is printed, and reports only the place in the code that printed it."""

    def __init__(self, way: str, words: ForeignWords) -> None:
        super().__init__()
        self._way = way
        self._words = words

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if bytes(data).strip():
            self._words.heard(self._way, _place(sys._getframe(1)))
        return len(data)


def _place(frame: FrameType | None) -> str:
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _CARRIERS:
        frame = frame.f_back
    return "?" if frame is None else f"{Path(frame.f_code.co_filename).stem}:{frame.f_lineno}"


def _stream(way: str, words: ForeignWords) -> TextIO:
    sink: Any = _Sink(way, words)
    return io.TextIOWrapper(sink, encoding="utf-8", errors="replace", write_through=True)


_for_good = False


def shut_out_for_good() -> None:
    """Makes `only_our_words` keep foreign output out until the process ends. A process that runs one command calls it,
    because threads and finalizers of the handler may still run while Python shuts down. Without it, as in tests,
    everything is put back."""
    global _for_good  # holds for the whole process
    _for_good = True


@contextmanager
def only_our_words(log_on: Callable[[TextIO], Log]) -> Iterator[Log]:
    """Wraps a service: keeps foreign output out while it runs. The service's log, and the errors of the command, go to
    the original standard error. `log_on`: makes the log for a stream."""
    own = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace", buffering=1)
    log = log_on(own)
    words = ForeignWords(log)
    undo = [_shut_streams(words), _take_hooks(words), output.say_errors_on(own)]
    try:
        yield log
    finally:
        if not _for_good:
            for each in undo:
                each()
            own.close()


def _shut_streams(words: ForeignWords) -> Callable[[], None]:
    """Sends standard output and error to the null device, also for C code and child processes. Returns a function that
    undoes it."""
    before, kept = (sys.stdout, sys.stderr), (os.dup(1), os.dup(2))
    for stream in before:
        with suppress(OSError, ValueError):
            stream.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stdout, sys.stderr = _stream("stdout", words), _stream("stderr", words)

    def undo() -> None:
        sys.stdout, sys.stderr = before
        for number, one in zip((1, 2), kept, strict=True):
            os.dup2(one, number)
            os.close(one)

    return undo


def _take_hooks(words: ForeignWords) -> Callable[[], None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = warnings.showwarning, threading.excepthook, sys.unraisablehook
    root.handlers[:] = [_CountingHandler(words)]
    root.setLevel(logging.WARNING)
    warnings.showwarning = words.warned
    threading.excepthook = words.thread_died
    sys.unraisablehook = words.not_raised

    def undo() -> None:
        root.handlers[:] = handlers
        root.setLevel(level)
        warnings.showwarning, threading.excepthook, sys.unraisablehook = hooks

    return undo
