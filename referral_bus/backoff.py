"""Pauses after failed attempts: each is twice as long as the one before, up to a longest one."""

from dataclasses import dataclass
from datetime import timedelta

_DOUBLINGS = 20  # a million times the first pause; more could overflow a timedelta before `min` takes `longest`


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` is the pause after the first failure, `longest` the highest pause."""

    first: timedelta
    longest: timedelta

    def pause(self, failures: int) -> timedelta:
        """The pause after this number of failures in a row, which is at least 1."""
        return min(self.first * (1 << min(failures - 1, _DOUBLINGS)), self.longest)

    def pauses(self) -> dict[int, timedelta]:
        """The pause for each number of failures up to the highest that matters; the last one holds for every further
        failure, too."""
        return {failures: self.pause(failures) for failures in range(1, _DOUBLINGS + 2)}
