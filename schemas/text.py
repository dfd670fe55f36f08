"""Text as people write it: kept exactly as it came (oʻ stays oʻ), bounded, and with nothing hidden in it."""

from typing import Final

from pydantic import StringConstraints

# C0 and C1 controls, line and paragraph separators, and the bidirectional overrides and isolates, which make a text
# read as another one than it is.
_UNSEEN: Final = r"\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"


def _pattern(never: str) -> str:
    """At least one character that is not white space, and none of these."""
    return f"^[^{never}]*[^{never}\\s][^{never}]*$"


def line(max_length: int) -> StringConstraints:
    """One line: a name, a number, a place. `max_length` counts characters."""
    return StringConstraints(max_length=max_length, pattern=_pattern(_UNSEEN + r"\x0a"))


def lines(max_length: int) -> StringConstraints:
    """Free text, which may have several lines. `max_length` counts characters."""
    return StringConstraints(max_length=max_length, pattern=_pattern(_UNSEEN))
