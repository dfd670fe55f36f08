"""A whole schedule: the steps, the fair end, the check."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.property.schedules.checks import violations
from tests.property.schedules.crashing import CrashingBench
from tests.property.schedules.doings import do
from tests.property.schedules.rest import NoRest, come_to_rest
from tests.property.schedules.steps import Step
from tests.property.schedules.world import World


def run(schedule: Sequence[Step], folder: Path, make: type[CrashingBench] = CrashingBench) -> list[str]:
    """What is wrong in the end; empty when every invariant has held. Whatever is in the folder goes first. The monitor
    reads along, or, in schedules without a wipe, half of the time at the end only."""
    along = len(schedule) % 2 == 0 or any(what == "wipe" for what, *_ in schedule)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    world = World(folder, make)
    try:
        for step in schedule:
            if along:
                world.observer.read()
            do(world, step)
        come_to_rest(world)
        return violations(world)
    except NoRest as never:
        return [str(never)]
    finally:
        world.close()
