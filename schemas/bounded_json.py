"""JSON from outside, bounded before anything is built of it: a short text can otherwise become a thousand times its
size in memory.

The look ahead goes over the bytes: what stands in quotes is one value, and of the rest the signs that begin and
separate values are counted. It does not judge whether it is JSON; the parser does, once the bounds hold.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What is in quotes, or one sign. A text without an end takes all the rest, so that the look stays linear.
_PART = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`values` counts all that begins, is separated or stands in quotes, `items` those of the outermost list, `depth`
    open brackets."""

    size: int  # bytes
    depth: int = 16
    values: int = 10_000
    items: int = 10_000


SMALL_FILE = Bounds(size=64 * 1024, values=1000)
"""Of what our own programs leave for each other, or answer each other: a pin of all stewards takes a third of it."""


class OutOfBounds(ValueError):
    """`what` is the bound that was passed, as its field is named in `Bounds`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"more than the bound of {what}")
        self.what = what


class NotJson(ValueError):
    """Where the parser gave up, counted from 1. Never what stands there."""

    def __init__(self, line: int, column: int, why: str = "this is not JSON") -> None:
        super().__init__(f"line {line}, column {column}: {why}")
        self.line = line
        self.column = column
        self.why = why


def check_bounds(content: bytes, bounds: Bounds) -> None:
    """Raises `OutOfBounds`. Takes time and memory of the order of the content's length, whatever stands in it."""
    if len(content) > bounds.size:
        raise OutOfBounds("size")
    depth, items, values = 0, 1, 0
    in_list = content.removeprefix(BOM_UTF8).lstrip().startswith(b"[")
    for part in _PART.finditer(content):
        sign = part[0]
        if sign in (b"]", b"}"):
            depth -= 1
        elif sign in (b"[", b"{", b","):
            values += 1
            depth += sign != b","
            items += sign == b"," and in_list and depth == 1
        else:  # in quotes
            values += 1
        if values > bounds.values:
            raise OutOfBounds("values")
        if depth > bounds.depth:
            raise OutOfBounds("depth")
        if items > bounds.items:
            raise OutOfBounds("items")


def load_json(content: bytes, bounds: Bounds, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The document, whose numbers are finite. Raises `OutOfBounds` or `NotJson`. `pairs` makes of the fields what
    stands for an object; a field may be in them twice."""
    check_bounds(content, bounds)
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        raise NotJson(before.count("\n") + 1, len(before) - before.rfind("\n"), "this is no text in UTF-8") from None
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise NotJson(error.lineno, error.colno, _why(text[error.pos : error.pos + 1])) from None
    except (ValueError, RecursionError):  # from numbers, of which the parser does not say where they stand
        raise NotJson(1, 1, "a number in it is not finite, or has thousands of digits") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _why(sign: str) -> str:
    """Of the character where the parser gave up. A control character is named, since it cannot be seen."""
    if sign and sign < " " and sign not in "\n\r":
        return f"the character U+{ord(sign):04X} stands here as it is; write it with a backslash, as in \\t"
    return "this is not JSON"
