"""Texts in records: kept as they came (oʻ stays oʻ), bounded in length, and without invisible control characters.

The models accept a line feed as the only line end, and no tab. At the sender's intake `tidy` first replaces the line
ends and tabs of web forms and word processors.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import StringConstraints

# C0 and C1 controls, line and paragraph separators, and the bidirectional overrides and isolates, which make a text
# appear in another order than it has.
_UNSEEN: Final = r"\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_LINE_END: Final = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def _pattern(never: str) -> str:
    """A pattern for a text with at least one character that is not white space, and none of the characters `never`."""
    return f"^[^{never}]*[^{never}\\s][^{never}]*$"


_ONE_LINE: Final = _pattern(_UNSEEN + r"\x0a")
_SEVERAL_LINES: Final = _pattern(_UNSEEN)
_REFUSED: Final = {
    _ONE_LINE: re.compile(rf"[{_UNSEEN}\x0a\ud800-\udfff]"),
    _SEVERAL_LINES: re.compile(rf"[{_UNSEEN}\ud800-\udfff]"),
}
TEXT_PATTERNS: Final = frozenset(_REFUSED)


def line(max_length: int) -> StringConstraints:
    """One line: a name, a number, a place. `max_length` counts characters."""
    return StringConstraints(max_length=max_length, pattern=_ONE_LINE)


def lines(max_length: int) -> StringConstraints:
    """Free text, which may have several lines. `max_length` counts characters."""
    return StringConstraints(max_length=max_length, pattern=_SEVERAL_LINES)


def tidy(text: str) -> str:
    """The text with every kind of line end replaced by a line feed, and every tab by a space."""
    return _LINE_END.sub("\n", text).replace("\t", " ")


def tidy_all(value: Any) -> Any:
    """A parsed document with `tidy` applied to every text in it; names of fields stay as they are."""
    if isinstance(value, str):
        return tidy(value)
    if isinstance(value, Mapping):
        return {name: tidy_all(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy_all(item) for item in value]
    return value


def refused_character(text: str, pattern: str) -> str | None:
    """The code point, as in U+202E, of the first character that a text of this pattern may not hold; None if no
    character is at fault. For the pattern of a code or an address it names only an unprintable character. It quotes
    nothing around the character, since that may name a person."""
    never = _REFUSED.get(pattern)
    if never is None:
        return next((f"U+{ord(character):04X}" for character in text if not character.isprintable()), None)
    found = never.search(text)
    return f"U+{ord(found[0]):04X}" if found else None
