"""While the monitor itself cannot read, no agency is silent for it."""

import threading
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path

from typing_extensions import override

from consumers.monitor.monitor_reader import MonitorReader
from consumers.monitor.overview import overview
from consumers.monitor.silence import PresenceCode
from consumers.monitor.store import open_store
from deploy.app.views.monitor_views import document
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import Topic
from referral_bus.errors import Reason, Unreachable
from referral_bus.logs import make_log
from tests.kit.bench import LogLines, bench
from tests.kit.forge import a_referral, event_record
from tests.kit.lookout import HEARTBEAT, KEEP, later, lookout, read_on
from tests.kit.waiting import wait_until
from tests.unit.consumers.monitor.test_overview import drawn

SENDER, RECIPIENT = "family-women", "public-health"
QUIET = {"silent", "never seen", "not reading", "reading slowly"}


def kinds(needs: Collection[tuple[str, str | None, str]]) -> set[str]:
    return {kind for kind, _, _ in needs}


def test_a_monitor_that_has_not_been_reading_says_that_its_data_are_old_and_blames_no_agency(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        later(bench, monitor, timedelta(hours=2))

        assert kinds(monitor.needs()) == {"monitor behind"}


def test_after_a_gap_each_agency_has_the_time_of_some_heartbeats_to_be_heard_again(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        later(bench, monitor, timedelta(hours=2))
        monitor.read()
        assert kinds(monitor.needs()) & QUIET == set()
        assert {state.presence for state in monitor.overview().agencies} == {PresenceCode.UNKNOWN}

        read_on(bench, monitor, timedelta(0))
        bench[SENDER].announce()
        bench.settle()
        monitor.read()
        assert [need.agency for need in monitor.need("silent")] == [RECIPIENT]


def test_before_everything_was_read_no_agency_was_never_seen(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (_, monitor):
        monitor.lose_database()

        assert kinds(monitor.needs()) == {"monitor behind"}


def test_that_kafka_does_not_answer_is_said_at_once(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        with monitor.store.read() as tx:
            seen = overview(tx, bench.register, monitor.clock(), HEARTBEAT, kafka_answers=False)

        assert [(str(need.kind), need.agency) for need in seen.needs] == [("monitor behind", None)]
        assert "running, but KAFKA DOES NOT ANSWER" in drawn(seen, bench.register)
        assert document(seen, running=True)["kafka_answers"] is False


class AwayBroker(MemoryBroker):
    """Answers until it is told not to."""

    away = False

    @override
    def topics(self, names: Collection[str]) -> Mapping[str, Topic]:
        if self.away:
            raise Unreachable(Reason.KAFKA_UNREACHABLE, "nothing answers there")
        return super().topics(names)


def test_the_reading_knows_whether_kafka_answers(tmp_path: Path) -> None:
    broker = AwayBroker()
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        store = open_store(tmp_path / "monitor.sqlite", "test-federation", made.clock())
        reading = MonitorReader(store, broker, lambda: made.register, made.clock, KEEP, make_log(LogLines()))
        stop = threading.Event()
        thread = threading.Thread(target=reading.run, args=(stop, lambda: None))
        thread.start()
        try:
            wait_until(lambda: reading.kafka_answers)
            broker.away = True
            wait_until(lambda: not reading.kafka_answers)
            broker.away = False
            wait_until(lambda: reading.kafka_answers)
        finally:
            stop.set()
            thread.join()
            store.close()
