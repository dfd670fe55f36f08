"""F17: what stands at the end of a topic is never handed out: the marker of an aborted transaction, or nothing at all
since everything was deleted. Services that start again find their end all the same, and go on."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.provision.topics import wanted_topics
from tests.contract.broker.crafted import abort_transaction, delete_records
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import Field, field_of
from tests.faults.load import referrals_for

pytestmark = pytest.mark.kafka


def marked(kafka: str, topic: str) -> None:
    abort_transaction(kafka, topic)


def emptied(kafka: str, topic: str) -> None:
    delete_records(kafka, topic)


def test_f17_a_topic_whose_end_is_never_handed_out_holds_up_no_start(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report, chance: random.Random
) -> None:
    times, events = dose(full=20, small=2), dose(full=200, small=60)
    with field_of(tmp_path, kafka_bootstrap) as field:
        field.start_and_wait(*field.clients)
        for number in range(times):
            field.load.want(referrals_for(events))
            for code in field.clients:
                field.kill(code)
            tail = (marked, emptied)[number % 2]
            end_with(field, tail, chance)
            field.start_and_wait(*field.clients)  # ready only once each has read its own announcements to the end
            field.tell(f"{number + 1} rounds")
        result = field.settle()
    report("F17", f"{times} starts after an aborted transaction or a deletion in each topic", result)


def end_with(field: Field, tail: Callable[[str, str], None], chance: random.Random) -> None:
    """Every topic, in any order."""
    topics = [plan.name for plan in wanted_topics(next(iter(field.clients.values())).register)]
    for topic in chance.sample(topics, len(topics)):
        tail(field.services.kafka, topic)
