"""Parses JSON from outside only once its size, depth and number of values are within bounds: a parsed document can take
a thousand times the memory of its text.

`check_bounds` scans the bytes: a quoted string counts as one value, and so does each `[`, `{` and `,` outside quotes.
It does not check that the bytes are JSON; the parser does, once the bounds hold.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# A quoted string, or one structural character. A string without an end takes all remaining bytes, so that the scan
# stays linear.
_PART = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The highest numbers that a document may have. `values` counts quoted strings and each `[`, `{` and `,` outside
    them, `items` the items of the outermost list, `depth` the brackets that are open at once."""

    size: int  # bytes
    depth: int = 16
    values: int = 10_000
    items: int = 10_000


SMALL_FILE = Bounds(size=64 * 1024, values=1000)
"""For files and answers that our own programs write for each other: a pin with all stewards takes a third of it."""


class OutOfBounds(ValueError):
    """The document exceeds a bound. `what` is the name of that field of `Bounds`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"more than the bound of {what}")
        self.what = what


class NotJson(ValueError):
    """The bytes are no JSON. `line` and `column`, both from 1, say where the parser stopped; `why` never quotes the
    input."""

    def __init__(self, line: int, column: int, why: str = "this is not JSON") -> None:
        super().__init__(f"line {line}, column {column}: {why}")
        self.line = line
        self.column = column
        self.why = why


def check_bounds(content: bytes, bounds: Bounds) -> None:
    """Raises `OutOfBounds` for a document over a bound. Takes time and memory linear in the content's length, whatever
    the content is."""
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
    """The parsed document, in which every number is finite. Raises `OutOfBounds` or `NotJson`. `pairs` builds an
    object from its names and values, among which a name may be repeated; without it an object is a dict."""
    check_bounds(content, bounds)
    try:
        text = content.decode("utf-8-sig")  # some editors put a byte order mark first
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        raise NotJson(before.count("\n") + 1, len(before) - before.rfind("\n"), "this is no text in UTF-8") from None
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise NotJson(error.lineno, error.colno, _why(text[error.pos : error.pos + 1])) from None
    except (ValueError, RecursionError):  # from a number: the parser gives no position for it
        raise NotJson(1, 1, "a number in it is not finite, or has thousands of digits") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _why(sign: str) -> str:
    """Why the parser stopped at this character. A control character is named by its code point: it cannot be seen."""
    if sign and sign < " " and sign not in "\n\r":
        return f"the character U+{ord(sign):04X} stands here as it is; write it with a backslash, as in \\t"
    return "this is not JSON"
