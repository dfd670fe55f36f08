"""F5 and F6: the broker is killed under load and comes back with its data, or comes back with nothing at all."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.brokers import OwnKafka, own_kafka
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import Field, field_of
from tests.faults.load import referrals_for

pytestmark = pytest.mark.kafka

DOWN_S = (0.0, 3.0)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    """One for both, since a start takes its time."""
    with own_kafka(tmp_path_factory.mktemp("broker")) as made:
        yield made


def test_f5_a_broker_that_is_killed_and_comes_back_with_its_data_loses_nothing(
    tmp_path: Path, kafka: OwnKafka, dose: Dose, report: Report, chance: random.Random
) -> None:
    kills, events = dose(full=10, small=1), dose(full=400, small=200)
    with field_of(tmp_path, kafka.bootstrap) as field:
        field.start_and_wait(*field.clients)
        for number in range(kills):
            work_until_half_is_under_way(field, events)
            kafka.kill()
            time.sleep(chance.uniform(*DOWN_S))
            field.tell("it starts again")
            kafka.start()
            field.tell(f"{number + 1} kills")
        result = field.settle()
    report("F5", f"{kills} kills", result)


def test_f6_a_broker_that_comes_back_with_nothing_loses_nothing(
    tmp_path: Path, kafka: OwnKafka, dose: Dose, report: Report, chance: random.Random
) -> None:
    wipes, events = dose(full=3, small=1), dose(full=2000, small=200)
    with field_of(tmp_path, kafka.bootstrap) as field:
        field.start_and_wait(*field.clients)
        for number in range(wipes):
            work_until_half_is_under_way(field, events)
            kafka.kill()
            kafka.wipe(same_cluster=number % 2 == 1)
            time.sleep(chance.uniform(*DOWN_S))
            field.tell("it starts again")
            kafka.start()
            field.services.make_topics()
            field.tell(f"{number + 1} wipes")
        result = field.settle()
    report("F6", f"{wipes} wipes", result)


def work_until_half_is_under_way(field: Field, events: int) -> None:
    """Asks for so many events more, and returns in the middle of them."""
    goal = field.events + events // 2
    field.load.want(referrals_for(events))
    while field.events < goal:
        field.load.idle()
        time.sleep(0.02)
