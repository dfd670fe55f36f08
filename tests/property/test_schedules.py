"""Whatever the host, the disk, the operators and the clock do: once all is well again, every promise has been kept.

300 schedules in every test run; as many as TESTS_SCHEDULES says in `make faults`. They are spread over blocks
with seeds of their own, so that several processes can share them.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.property.schedules.running import run
from tests.property.schedules.steps import Step, schedules

SCHEDULES = int(os.environ.get("TESTS_SCHEDULES", "300"))
BLOCK = 25
MEMORY = Path("/dev/shm")  # noqa: S108 # a memory file system: what is tested is order, not the disk


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """The same for all schedules of a process: their ledgers then share what was compiled for the place."""
    with TemporaryDirectory(prefix="schedules-", dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made) / "world"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(-(-SCHEDULES // BLOCK)))
def test_after_every_schedule_nothing_is_lost_twice_out_of_order_differing_or_left(block: int, folder: Path) -> None:
    @seed(block)
    @settings(
        max_examples=BLOCK,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(schedules())
    def holds(schedule: list[Step]) -> None:
        assert run(schedule, folder) == []

    holds()
