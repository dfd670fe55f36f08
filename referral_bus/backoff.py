"""Pauses between tries that fail: each is twice as long as the one before, up to a longest one."""

from dataclasses import dataclass
from datetime import timedelta

_DOUBLINGS = 20  # a million times the first pause; more would overflow before `longest` is looked at


@dataclass(frozen=True, slots=True)
class Backoff:
    """`first` is the pause after the first failure."""

    first: timedelta
    longest: timedelta

    def pause(self, failures: int) -> timedelta:
        """The pause after so many failures in a row, at least one."""
        return min(self.first * (1 << min(failures - 1, _DOUBLINGS)), self.longest)

    def pauses(self) -> dict[int, timedelta]:
        """All that differ, by the number of failures; the last holds for every later failure too."""
        return {failures: self.pause(failures) for failures in range(1, _DOUBLINGS + 2)}
