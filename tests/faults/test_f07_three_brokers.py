"""F7: of three brokers the one that leads is killed under load, and in the end one is gone for good."""

import random
import time
from pathlib import Path

import pytest

from tests.faults.brokers import own_kafka
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import MIDDLE, field_of
from tests.faults.load import referrals_for

pytestmark = pytest.mark.kafka

WORKS_S = (0.5, 3.0)


def test_f7_two_of_three_brokers_go_on_when_the_leader_is_killed(
    tmp_path: Path, dose: Dose, report: Report, chance: random.Random
) -> None:
    kills, events = dose(full=5, small=1), dose(full=400, small=200)
    with (
        own_kafka(tmp_path, brokers=3) as kafka,
        field_of(tmp_path / "agencies", kafka.bootstrap, copies=3) as field,
    ):
        inbox = field.clients[MIDDLE].register.inbox(MIDDLE) or ""
        field.start_and_wait(*field.clients)
        for number in range(kills):
            kafka.start()  # whoever was killed before
            field.load.want(referrals_for(events))
            time.sleep(chance.uniform(*WORKS_S))
            kafka.kill(kafka.leader(inbox))
            field.tell(f"{number + 1} kills")
        result = field.settle()  # with the two that are left
        assert len(kafka.running()) == 2
    report("F7", f"{kills} leaders killed, the last for good", result)
