"""Prints what commands say: lines for people, or with --json one document. Text from other agencies is data: characters
that could control a terminal are replaced by a mark."""

import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, TextIO
from uuid import UUID
from zoneinfo import ZoneInfo

_NOT_ASCII = re.compile(r"[^ -~]")

# Format characters that do more than join or separate letters: those that reverse the direction of text, and those that
# can hide other text in it.
_TURNS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HIDES = "\u206a-\u206f\ufff9-\ufffb\U000e0000-\U000e007f"
_STEERING_FORMAT = re.compile(f"[{_TURNS}{_HIDES}]")


class OutputFailed(OSError):
    """Writing to standard output failed: its disk is full, its reader has gone, or it is closed."""


class NotSaid(Exception):
    """The command has changed something for good, and then could not print its answer. `done`: what it has done, with
    ids."""

    def __init__(self, done: str) -> None:
        super().__init__(done)
        self.done = done


class StandardOutput(io.TextIOWrapper):
    """Standard output that raises `OutputFailed`, so that its errors differ from those of any other file. Characters
    that the terminal's encoding lacks are written as escapes."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._stream = stream  # keeps it alive: its finalizer would close the buffer

    def write(self, text: str) -> int:
        with _told_apart():
            return super().write(text)

    def flush(self) -> None:
        with _told_apart():
            super().flush()


@contextmanager
def _told_apart() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputFailed(error.errno, "standard output") from None


@contextmanager
def already_done(what: str) -> Iterator[None]:
    """Wraps the code that prints the answer of a command after it has changed something for good. `what`: what it has
    done, with ids and nothing about a person. Any error becomes `NotSaid`: a caller that sees only the error would ask
    again, and so do it twice."""
    try:
        yield
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        raise NotSaid(what) from error


def let_go_of_standard_output() -> None:
    """Sends what standard output still buffers to nowhere. Otherwise Python would write it again at exit, and print an
    error."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """The text with a mark in place of control, bidirectional and unassigned characters, line ends included: these
    could move the cursor or reverse text. Joiners stay: without them Persian, Dari and Pashto names, and many Indian
    scripts, would be misspelt."""
    return _NOT_ASCII.sub(lambda found: "\ufffd" if _steers(found[0]) else found[0], text)


def _steers(sign: str) -> bool:
    category = unicodedata.category(sign)
    if category == "Cf":
        return _STEERING_FORMAT.match(sign) is not None
    return category[0] == "C" or category in ("Zl", "Zp")


def say(line: str) -> None:
    sys.stdout.write(printable(line) + "\n")


def say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def say_json(document: Any, *, one_line: bool = False) -> None:
    """Prints one JSON document. Letters stay as they are; characters that could control a terminal are escaped."""
    text = json.dumps(document, default=_plain, ensure_ascii=False, indent=None if one_line else 2)
    sys.stdout.write(_NOT_ASCII.sub(lambda found: _escaped(found[0]), text) + "\n")


def answer(document: Any, lines: Iterable[str], as_json: bool) -> None:
    """Prints the answer of a command: `document` for a program, or `lines` for people."""
    if as_json:
        say_json(document)
    else:
        say_all(lines)


def _escaped(sign: str) -> str:
    return json.dumps(sign)[1:-1] if sign != "\n" and _steers(sign) else sign


def say_error(line: str, document: str | None = None) -> None:
    """Prints a line for people on standard error, or in its place a document for a program. If that fails it is lost;
    the exit code still tells how the command ended."""
    stream = _error_stream or sys.stderr
    with suppress(OSError, ValueError):
        stream.write(f"referral-bus: {printable(line)}\n" if document is None else f"{document}\n")
        stream.flush()


_error_stream: TextIO | None = None


def say_errors_on(stream: TextIO) -> Callable[[], None]:
    """Makes `say_error` write to `stream`, while standard error is closed to output of foreign code. Returns a function
    that undoes it."""
    global _error_stream  # as `sys.stderr` is
    before, _error_stream = _error_stream, stream

    def undo() -> None:
        global _error_stream
        _error_stream = before

    return undo


def local_time(moment: datetime, zone: str) -> str:
    """A time in a zone, as in 2026-11-23 19:05 +05:00. In UTC where the local time would lie beyond the calendar: other
    agencies choose deadlines, and may choose such a one."""
    try:
        shown = moment.astimezone(ZoneInfo(zone))
    except OverflowError:
        shown = moment.astimezone(UTC)
    offset = shown.strftime("%z")
    return f"{shown:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:]}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, UUID | date | Enum):
        return str(value)
    from pydantic import BaseModel  # imported late: most documents hold no model

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(f"no JSON form for {type(value).__name__}")
