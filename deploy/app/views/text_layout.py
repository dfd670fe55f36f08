"""Breaks text into lines: pages of a readable width, and lists that fit the terminal."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

from deploy.app.output import printable

PAGE = 78
"""Width in characters of a page that does not go to a terminal."""
NARROWEST = 40


def page_width() -> int:
    """Width in characters of a page such as that of `show`; at most 100, for easy reading."""
    return min(list_width() or PAGE, 100)


def list_width() -> int | None:
    """Width in characters of a list. None where the output goes to no terminal: there each entry is one line, so that
    `grep` finds whole entries."""
    if "COLUMNS" not in os.environ and not sys.stdout.isatty():
        return None
    return max(NARROWEST, shutil.get_terminal_size().columns)


def wrapped(text: str, width: int | None, indent: int, prefix: str = "") -> Iterator[str]:
    """The text in lines of at most `width` characters, each beginning with `prefix`; from the second line on `indent`
    spaces follow it. None as `width` means one line."""
    safe = printable(text)
    if width is None:
        yield prefix + safe
        return
    further = prefix + " " * indent
    yield from textwrap.wrap(safe, width, initial_indent=prefix, subsequent_indent=further, break_on_hyphens=False) or [
        prefix.rstrip()
    ]


def entries(lines: Iterable[str], indent: int = 4) -> Iterator[str]:
    """The entries of a list, each broken into lines that fit the terminal."""
    width = list_width()
    for line in lines:
        yield from wrapped(line, width, indent)
