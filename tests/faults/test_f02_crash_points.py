"""F2: a crash just before and just after each durable step, wherever it comes."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.conftest import Report
from tests.faults.crashing_ends import HANDLER
from tests.faults.crashing_service import crashes, program
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, Field, field_of
from tests.faults.load import TOGETHER
from tests.faults.steps import Moment, Point, Step

pytestmark = pytest.mark.kafka

NTH = 4
"""A step is taken up to so often before the crash: the first after a start is not like the others."""

VICTIMS = (FIRST, MIDDLE)
FEW = 20
WITHIN_S = 1200.0


def test_f2_a_crash_before_or_after_any_durable_step_loses_nothing(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    each = [(step, moment) for step in Step for moment in Moment] * dose(full=20, small=1)
    chance.shuffle(each)
    points = [Point(step, moment, chance.randint(1, NTH)) for step, moment in each]
    with field_of(tmp_path, kafka_bootstrap, handlers=dict.fromkeys(VICTIMS, HANDLER)) as field:
        for number, code in enumerate(VICTIMS):
            path = tmp_path / f"{code}.points"
            path.write_text("".join(f"{point.line}\n" for point in points[number :: len(VICTIMS)]), encoding="ascii")
            field.programs[code] = program(path)
        field.start(*VICTIMS)
        keep_at_work_until_all_have_happened(field, len(points))
        result = field.settle()
    assert Counter(happened(field)) == Counter(points)
    report("F2", f"{len(points)} crashes at {len(Step) * len(Moment)} points", result)


def happened(field: Field) -> Sequence[Point]:
    return [point for code in VICTIMS for point in crashes(field.agency(code).home)]


def keep_at_work_until_all_have_happened(field: Field, points: int) -> None:
    deadline, said = time.monotonic() + WITHIN_S, 0
    while (number := len(happened(field))) < points:
        assert time.monotonic() < deadline, "a step was not taken in time"
        if field.load.idle() and field.waiting < FEW:
            field.load.want(TOGETHER // 5)
        if number >= said + 50:
            said = number
            field.tell(f"{number} crashes")
        time.sleep(0.05)
