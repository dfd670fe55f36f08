"""How much of each fault: the full dose of `make faults`, or the small one of every test run."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from tests.faults.checker import Result

T = TypeVar("T")

DOSE = "TESTS_DOSE"
RESULTS = "TESTS_FAULT_RESULTS"
"""Environment variables: `small` or `full`, and a file to which each run adds a line."""


class Dose(StrEnum):
    SMALL = "small"
    FULL = "full"

    def __call__(self, *, full: T, small: T) -> T:
        return full if self is Dose.FULL else small


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results. `dose` says in words how much there was of the fault."""

    fault: str
    dose: str
    events: int
    lost: int
    twice: int
    out_of_order: int
    invented: int
    differing: int
    seconds: float


def row(fault: str, dose: str, result: Result, seconds: float) -> Row:
    counted = {name: number for name, number in asdict(result).items() if name in Row.__slots__}
    return Row(fault=fault, dose=dose, seconds=round(seconds, 1), **counted)


def append(path: Path, line: Row) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(line)) + "\n")


def read(path: Path) -> list[Row]:
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
