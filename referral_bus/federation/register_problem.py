"""A mistake in a register: its path, and what to do about it. Never a value of the file."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from referral_bus.errors import Reason, Refused


@dataclass(frozen=True, slots=True)
class RegisterProblem:
    """`path` as in `agencies[3].signing_keys[0].public_key`; empty for the file as a whole."""

    path: str
    advice: str

    def refused(self) -> Refused:
        return Refused(Reason.REGISTER_INVALID, self.advice, self.path or None)

    def __str__(self) -> str:
        return f"{self.path or 'the file'}: {self.advice}"


def repeated(values: Iterable[Hashable]) -> Iterator[int]:
    """The positions, from 0, of values that also stand at an earlier position."""
    seen: set[Hashable] = set()
    for position, value in enumerate(values):
        if value in seen:
            yield position
        seen.add(value)
