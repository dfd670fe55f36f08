"""The dose, and where results go. Everything else that the fault runs share is in `field`."""

import os
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import dose as doses
from tests.faults.checker import Result
from tests.faults.dose import Dose
from tests.faults.field import say

Report = Callable[[str, str, Result], None]


@pytest.fixture(scope="session")
def dose() -> Dose:
    return Dose(os.environ.get(doses.DOSE, Dose.SMALL))


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Says what came of a fault, writes it down, and fails unless every promise was kept. Time counts from here."""
    began, results = time.monotonic(), Path(os.environ.get(doses.RESULTS, tmp_path / "results"))

    def note(fault: str, what: str, result: Result) -> None:
        line = doses.row(fault, what, result, time.monotonic() - began)
        say(f"{line}")
        doses.append(results, line)
        assert result.kept, result

    return note


@pytest.fixture
def chance() -> random.Random:
    """Whatever is random is so from this seed, which is said."""
    seed = secrets.randbelow(2**32)
    say(f"seed {seed}")
    return random.Random(seed)
