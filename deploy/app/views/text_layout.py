"""How wide text is, and where it is broken: a page for a reader, and lists that fit a terminal."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator

from deploy.app.output import printable

PAGE = 78
"""Characters of a page that does not go to a terminal."""
NARROWEST = 40


def page_width() -> int:
    """Characters in a line of a page such as `show`: never more than can be read with ease."""
    return min(list_width() or PAGE, 100)


def list_width() -> int | None:
    """Characters in a line of a list; None where no terminal sets a limit: there one entry is one line, for `grep`."""
    if "COLUMNS" not in os.environ and not sys.stdout.isatty():
        return None
    return max(NARROWEST, shutil.get_terminal_size().columns)


def wrapped(text: str, width: int | None, indent: int, prefix: str = "") -> Iterator[str]:
    """The text in lines that begin with `prefix`; from the second one on, after it, with so many spaces more."""
    safe = printable(text)
    if width is None:
        yield prefix + safe
        return
    further = prefix + " " * indent
    yield from textwrap.wrap(safe, width, initial_indent=prefix, subsequent_indent=further, break_on_hyphens=False) or [
        prefix.rstrip()
    ]


def entries(lines: Iterable[str], indent: int = 4) -> Iterator[str]:
    """The entries of a list, each broken where the terminal ends."""
    width = list_width()
    for line in lines:
        yield from wrapped(line, width, indent)
