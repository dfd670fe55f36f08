"""One step of a schedule as it is done."""

from dataclasses import dataclass
from typing import TypeVar

from tests.kit.bench import Station
from tests.property.schedules.world import World

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is. `x` and `y` choose among what is there."""

    world: World
    station: Station
    x: int
    y: int


def chosen(there: list[T], number: int) -> T | None:
    """One of them; None where there is none."""
    return there[number % len(there)] if there else None
