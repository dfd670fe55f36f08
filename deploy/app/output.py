"""What commands print: lines for people, or with --json one document. Text from other agencies is data: whatever could
steer a terminal is shown as a mark, never sent."""

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

# Format characters that do more than join or part letters: those that turn text round, and those that hide another
# text in it.
_TURNS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HIDES = "\u206a-\u206f\ufff9-\ufffb\U000e0000-\U000e007f"
_STEERING_FORMAT = re.compile(f"[{_TURNS}{_HIDES}]")


class OutputFailed(OSError):
    """Standard output does not take what is printed: its disk is full, its reader has gone, it is closed."""


class NotSaid(Exception):
    """Something was changed for good, and then the answer could not be printed. `done` says what, with its ids."""

    def __init__(self, done: str) -> None:
        super().__init__(done)
        self.done = done


class StandardOutput(io.TextIOWrapper):
    """Tells its own trouble from that of any other file. A terminal without a letter still shows the rest."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self._stream = stream  # or its end would close the buffer

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
    """Around everything that a command does after it has changed something for good, which is to print its answer.
    `what` says what is done, with its ids and with nothing of a person. Raises `NotSaid` when the answer cannot be
    printed, for whatever reason: asking again would do it twice."""
    try:
        yield
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        raise NotSaid(what) from error


def let_go_of_standard_output() -> None:
    """What it has not taken is dropped, or Python would try again at its end, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """One line without control, bidirectional or unassigned characters, which could move the cursor or turn text round.
    Joiners are kept: Persian, Dari and Pashto names and many Indian scripts are misspelt without them."""
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
    """One JSON document; letters as they are, and escaped whatever could steer a terminal."""
    text = json.dumps(document, default=_plain, ensure_ascii=False, indent=None if one_line else 2)
    sys.stdout.write(_NOT_ASCII.sub(lambda found: _escaped(found[0]), text) + "\n")


def answer(document: Any, lines: Iterable[str], as_json: bool) -> None:
    """What a command says: for a program or for people."""
    if as_json:
        say_json(document)
    else:
        say_all(lines)


def _escaped(sign: str) -> str:
    return json.dumps(sign)[1:-1] if sign != "\n" and _steers(sign) else sign


def say_error(line: str, document: str | None = None) -> None:
    """A line for people, or in its place a document for a program. One that cannot be written is lost: the exit code
    still tells how the command ended."""
    stream = _error_stream or sys.stderr
    with suppress(OSError, ValueError):
        stream.write(f"referral-bus: {printable(line)}\n" if document is None else f"{document}\n")
        stream.flush()


_error_stream: TextIO | None = None


def say_errors_on(stream: TextIO) -> Callable[[], None]:
    """Because standard error is shut to words that are not ours. Returns what puts it back."""
    global _error_stream  # as `sys.stderr` is
    before, _error_stream = _error_stream, stream

    def undo() -> None:
        global _error_stream
        _error_stream = before

    return undo


def local_time(moment: datetime, zone: str) -> str:
    """As in 2026-11-23 19:05 +05:00. In UTC where the calendar ends before the local time: others choose deadlines."""
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
    from pydantic import BaseModel  # whoever hands in a model has it loaded

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(f"no JSON form for {type(value).__name__}")
