"""F11: among good events stand others that broken software has written. The good ones pass, the others never."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from referral_bus.broker.kafka import KafkaBroker
from referral_bus.metrics import PREFIX
from schemas.events import ReferralKey
from schemas.outcomes import Code
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, LAST, MIDDLE, Field, field_of
from tests.faults.load import MIXED, QUIET, Flow, referrals_for
from tests.faults.poison import POISON, Forge, Forger, forger
from tests.kafka.test_service import ask
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka

STORIES = (*[QUIET] * 40, *MIXED)
ONE_IN = 20


def test_f11_poison_among_good_events_is_refused_and_stops_nothing(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report
) -> None:
    events = dose(full=20_000, small=500)
    flows = [Flow(FIRST, MIDDLE), Flow(MIDDLE, LAST)]
    with field_of(tmp_path, kafka_bootstrap, flows, STORIES) as field:
        field.start_and_wait(*field.clients)
        field.load.want(1)
        field.settle()
        hands = forger(field.clients, FIRST, MIDDLE, LAST, the_quiet_one(field))
        field.load.want(referrals_for(events, STORIES))
        given = send_poison(field, hands, list(islice(cycle(POISON), events // ONE_IN)))
        result = field.settle()
        wait_until(lambda: refused(field) >= given)
    report("F11", f"{given.total()} poisoned among them", result)


def the_quiet_one(field: Field) -> ReferralKey:
    first = field.load.staff[FIRST].said[0]
    assert first.text.endswith(QUIET.name)
    return ReferralKey(FIRST, first.referral)


def send_poison(field: Field, hands: Forger, kinds: Sequence[Forge]) -> Counter[Code]:
    """One after so many good events; how many of each code were given."""
    with closing(KafkaBroker(field.services.kafka, "broken-software")) as broker, closing(broker.sender()) as sender:
        for number, kind in enumerate(kinds, 1):
            while field.events < number * ONE_IN and not field.load.idle():
                time.sleep(0.01)
            sending = sender.send(kind(hands))
            assert sending is not None
            wait_until(sending.done)
            assert sending.failure() is None
    return Counter(POISON[kind] for kind in kinds)


def refused(field: Field) -> Counter[Code]:
    """How many records each service has counted as not stored."""
    counted: Counter[Code] = Counter()
    for process in field.running.values():
        for family in text_string_to_metric_families(ask(process, "/metrics")[1]):
            for sample in family.samples:
                if sample.name == f"{PREFIX}process_failures_total" and sample.labels["reason"] in Code.__members__:
                    counted[Code(sample.labels["reason"])] += int(sample.value)
    return counted
