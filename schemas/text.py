"""Text as people write it: kept as it came (oʻ stays oʻ), bounded, and with nothing hidden in it.

The rule for what travels is strict. At the sender's intake `tidy` first turns what web forms and word processors write
for the end of a line, and tabs, into what the rule takes.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import StringConstraints

# C0 and C1 controls, line and paragraph separators, and the bidirectional overrides and isolates, which make a text
# read as another one than it is.
_UNSEEN: Final = r"\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_LINE_END: Final = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")


def _pattern(never: str) -> str:
    """At least one character that is not white space, and none of these."""
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
    """Every kind of line end as a line feed, a tab as a space; all else as it is."""
    return _LINE_END.sub("\n", text).replace("\t", " ")


def tidy_all(value: Any) -> Any:
    """The same of every text in a parsed document; names of fields stay as they are."""
    if isinstance(value, str):
        return tidy(value)
    if isinstance(value, Mapping):
        return {name: tidy_all(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy_all(item) for item in value]
    return value


def refused_character(text: str, pattern: str) -> str | None:
    """The first character that a text of this pattern may not hold, as in U+202E; None when it is not a character that
    is wrong. Of a pattern that is not of a text, as of a code or an address, only a character that cannot be seen is
    named. Only the code point: what stands around it may name a person."""
    never = _REFUSED.get(pattern)
    if never is None:
        return next((f"U+{ord(character):04X}" for character in text if not character.isprintable()), None)
    found = never.search(text)
    return f"U+{ord(found[0]):04X}" if found else None
