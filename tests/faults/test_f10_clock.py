"""F10: an agency's clock is a day off, and jumps to and fro while its service runs and its people work."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.clocked_service import PROGRAM, set_wrong, wrong_clock
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, field_of
from tests.faults.load import referrals_for

pytestmark = pytest.mark.kafka

DAY_S = 24 * 3600
JUMPS = (DAY_S, -DAY_S, 0, 3600, -3600, 60, -60)
STAYS_S = (0.5, 3.0)


def test_f10_a_clock_that_is_wrong_and_jumps_loses_nothing(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    jumps, events = dose(full=10, small=3), dose(full=300, small=100)
    clocks = {code: wrong_clock(tmp_path / code) for code in (FIRST, MIDDLE)}
    for code in clocks:
        set_wrong(tmp_path / code, chance.choice(JUMPS))
    with field_of(tmp_path, kafka_bootstrap, clocks=clocks) as field:
        field.programs |= dict.fromkeys(clocks, PROGRAM)
        field.start_and_wait(*field.clients)
        for number in range(jumps):
            field.load.want(referrals_for(events))
            time.sleep(chance.uniform(*STAYS_S))
            code, wrong = chance.choice([FIRST, MIDDLE]), chance.choice(JUMPS)
            set_wrong(tmp_path / code, wrong)
            field.tell(f"{code} is {wrong:+} s off")
            if number % 3 == 2:
                field.start_again(code)
        result = field.settle()
    report("F10", f"{jumps} jumps of up to a day", result)
