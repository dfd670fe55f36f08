"""F8: eight kinds of bad network between every service and Kafka."""

import random
import time
from pathlib import Path

import pytest

from deploy.kafka.plan import HOST, free_port
from tests.faults.brokers import own_kafka
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import field_of
from tests.faults.load import referrals_for
from tests.faults.proxy import Kind, proxy
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.kafka


def test_f8_a_bad_network_delays_and_loses_nothing(
    tmp_path: Path, dose: Dose, report: Report, chance: random.Random
) -> None:
    events, lasts_s, told_port = dose(full=1000, small=50), dose(full=8.0, small=2.0), free_port()
    with (
        own_kafka(tmp_path, told_port=told_port) as kafka,
        proxy(told_port, kafka.plan.port, chance) as network,
        field_of(tmp_path / "agencies", f"{HOST}:{told_port}") as field,
    ):
        field.start_and_wait(*field.clients)
        for kind in Kind:
            network.kind = kind
            field.load.want(referrals_for(events))
            wait_until(field.load.idle)
            time.sleep(lasts_s)
            field.tell(kind)
            network.kind = None
            if dose is Dose.FULL:
                assert field.settle().kept, kind
            else:
                network.reset_all()
        result = field.settle()
    report("F8", f"{len(Kind)} kinds of network", result)
