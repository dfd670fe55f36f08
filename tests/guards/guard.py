"""A guard: a few lines without which a promise breaks, and how to take it away."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Guard:
    """`found` stands exactly once in `file`; `put` in its place switches the guard off. `suite` is where it should be
    caught first; the schedules of the state machine are tried after it."""

    name: str
    file: str
    found: str
    put: str
    suite: tuple[str, ...]

    def switched_off(self, content: str) -> str:
        """The file's content without the guard. Raises `ValueError` when the guard is not there, or not once."""
        if content.count(self.found) != 1:
            raise ValueError(f"{self.name}: what it looks for stands {content.count(self.found)} times in {self.file}")
        return content.replace(self.found, self.put)
