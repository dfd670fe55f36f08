"""F1 and F3: kill -9 of the service that sends, or of the one that receives, at any moment, again and again."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.checker import Result
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, LAST, MIDDLE, Field, field_of
from tests.faults.load import Flow, referrals_for

pytestmark = pytest.mark.kafka

LIVES_S = (0.2, 2.4)
"""How long a service lives: at the least it has not even read its settings, at the most it has worked for a second."""


def test_f1_a_sender_that_is_killed_at_any_moment_loses_nothing(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    kills, events = dose(full=100, small=5), dose(full=10_000, small=500)
    with field_of(tmp_path, kafka_bootstrap, [Flow(FIRST, MIDDLE), Flow(LAST, MIDDLE)]) as field:
        result = kill_under_load(field, [FIRST, LAST], kills, events, chance)
    report("F1", f"{kills} kills", result)


def test_f3_a_recipient_that_is_killed_at_any_moment_takes_everything_once_and_in_order(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    kills, events = dose(full=100, small=5), dose(full=10_000, small=500)
    with field_of(tmp_path, kafka_bootstrap, [Flow(FIRST, MIDDLE), Flow(MIDDLE, LAST)]) as field:
        result = kill_under_load(field, [MIDDLE, LAST], kills, events, chance)
    report("F3", f"{kills} kills", result)


def kill_under_load(field: Field, victims: Sequence[str], kills: int, events: int, chance: random.Random) -> Result:
    field.start_and_wait(*field.clients)
    referrals = referrals_for(events)
    for number in range(kills):
        field.load.want(referrals * (number + 1) // kills - referrals * number // kills)
        time.sleep(chance.uniform(*LIVES_S))
        field.start_again(victims[number % len(victims)])
        if number % 10 == 9:
            field.tell(f"{number + 1} kills")
    return field.settle()
