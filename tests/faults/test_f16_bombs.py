"""F16: batches of 1.5 KiB that unpack to a record with eight million headers, unsigned, in every topic. Services stay
small and go on, and so does Kafka, also after it was killed and started again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.provision.topics import wanted_topics
from tests.contract.broker.crafted import produce, with_many_headers
from tests.faults.brokers import OwnKafka, own_kafka
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import Field, field_of
from tests.faults.load import referrals_for
from tests.faults.test_f12_backlog import RESIDENT_MB, peak_mb

pytestmark = pytest.mark.kafka

HEADERS = 8_300_000


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    with own_kafka(tmp_path_factory.mktemp("broker")) as made:
        yield made


def test_f16_batches_that_unpack_to_very_much_take_no_memory_and_end_nothing(
    tmp_path: Path, kafka: OwnKafka, dose: Dose, report: Report
) -> None:
    times, bombs, events = dose(full=10, small=1), dose(full=40, small=4), dose(full=400, small=100)
    thrown = 0
    with field_of(tmp_path, kafka.bootstrap) as field:
        throw(field, kafka, bombs)  # met at the very start
        field.start_and_wait(*field.clients)
        for number in range(times):
            field.load.want(referrals_for(events))
            thrown += throw(field, kafka, bombs)
            assert field.settle().kept
            assert peak_mb(field) < RESIDENT_MB
            kafka.kill()
            kafka.start()
            field.start_again(next(iter(field.clients)))
            field.tell(f"{number + 1} rounds")
        result = field.settle()
        assert kafka.running(), "Kafka has ended"
    report("F16", f"{thrown} batches of {HEADERS / 1e6:.1f} million headers, Kafka killed {times} x among them", result)


def throw(field: Field, kafka: OwnKafka, each: int) -> int:
    """Into every topic."""
    topics = [plan.name for plan in wanted_topics(next(iter(field.clients.values())).register)]
    for topic in topics:
        produce(kafka.bootstrap, topic, *[with_many_headers(HEADERS)] * each)
    return each * len(topics)
