"""The ingest loop: each record once, whatever breaks; how far we are stands beside what was read."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consumers.agency.ingest import Ingest
from referral_bus.errors import Reason, Unreachable
from referral_bus.federation.register import Register
from referral_bus.ledger import receiving
from referral_bus.logs import make_log
from tests.kit.bench import Bench, Station
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, RECIPIENT, SENDER

KeyFinder = Callable[[str], X25519PrivateKey | None]


def _ingest(
    station: Station, find_key: KeyFinder | None = None, register: Callable[[], Register] | None = None
) -> Ingest:
    bench = station.bench
    return Ingest(
        station.ledger,
        bench.broker,
        register or (lambda: station.register),
        find_key or station.keyring.find_sealing,
        bench.clock,
        uuid4,
        station.metrics,
        make_log(bench.log_lines),
    )


def _read(ingest: Ingest) -> None:
    """As the loop does, once."""
    reader = ingest.reader()
    ingest.assign(reader)
    ingest.step(reader, 0)


@contextmanager
def _running(ingest: Ingest) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=ingest.run, args=(stop, lambda: None))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def _eventually(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _position(station: Station, topic: str | None) -> int:
    with station.ledger.read() as tx:
        return receiving.positions(tx)[topic or "", 0].offset


def _counted(station: Station, metric: str, **labels: str) -> float:
    return station.metrics.registry.get_sample_value(f"referralbus_{metric}", labels) or 0


def _sent(trio: Bench, number: int = 1) -> list[UUID]:
    referral_ids = [trio[SENDER].refer(RECIPIENT) for _ in range(number)]
    trio[SENDER].send()
    return referral_ids


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def _kills(_: str) -> X25519PrivateKey | None:
    raise Killed


def test_after_a_restart_reading_goes_on_where_the_ledger_says(trio: Bench) -> None:
    _sent(trio)
    _read(_ingest(trio[RECIPIENT]))
    [second] = _sent(trio)
    _read(_ingest(trio[RECIPIENT]))
    assert trio[RECIPIENT].status(second) == "requested"
    assert _counted(trio[RECIPIENT], "duplicate_events_total", event_type="ReferralEvent") == 0


def test_a_crash_in_the_middle_of_a_batch_keeps_nothing_of_it_and_no_position(trio: Bench) -> None:
    first, second = _sent(trio, 2)
    inbox = trio.register.inbox(RECIPIENT)
    calls: list[str] = []

    def dies_at_the_second(key_id: str) -> X25519PrivateKey | None:
        calls.append(key_id)
        return trio[RECIPIENT].keyring.find_sealing(key_id) if len(calls) == 1 else _kills(key_id)

    with pytest.raises(Killed):
        _read(_ingest(trio[RECIPIENT], dies_at_the_second))
    assert len(calls) == 2
    assert trio[RECIPIENT].status(first) is None
    assert trio[RECIPIENT].owed(SENDER) == []
    with trio[RECIPIENT].ledger.read() as tx:
        assert (inbox, 0) not in receiving.positions(tx)
    _read(_ingest(trio[RECIPIENT]))
    assert [trio[RECIPIENT].status(each) for each in (first, second)] == ["requested"] * 2
    assert _position(trio[RECIPIENT], inbox) == 2


def test_a_record_that_we_fail_on_stops_no_other_and_is_not_receipted(trio: Bench) -> None:
    first, broken, last = _sent(trio, 3)
    find, calls = trio[RECIPIENT].keyring.find_sealing, iter(range(100))
    at_fault = {1, 3}  # the second record, in the batch and then alone

    def fails(key_id: str) -> X25519PrivateKey | None:
        if next(calls) in at_fault:
            raise ZeroDivisionError(PLANTED_NAME)
        return find(key_id)

    _read(_ingest(trio[RECIPIENT], fails))
    assert [trio[RECIPIENT].status(each) for each in (first, broken, last)] == ["requested", None, "requested"]
    assert len(trio[RECIPIENT].owed(SENDER)) == 2
    assert _position(trio[RECIPIENT], trio.register.inbox(RECIPIENT)) == 3
    assert _counted(trio[RECIPIENT], "process_failures_total", event_type="unknown", reason="DEFECT") == 1
    assert "ZeroDivisionError in " in trio.log_lines.text
    assert PLANTED_NAME not in trio.log_lines.text


def test_while_something_does_not_answer_a_batch_waits_and_nothing_is_skipped(trio: Bench) -> None:
    [referral_id] = _sent(trio)
    away: list[str] = []

    def register() -> Register:
        if away:
            raise Unreachable(Reason.LEDGER_UNREACHABLE, away.pop())
        return trio.register

    ingest = _ingest(trio[RECIPIENT], register=register)
    reader = ingest.reader()
    ingest.assign(reader)
    away.append("away for a moment")
    ingest.step(reader, 0)
    assert "LEDGER_UNREACHABLE" in trio.log_lines.text
    assert trio[RECIPIENT].status(referral_id) == "requested"


def test_a_topic_made_anew_is_read_from_its_start(trio: Bench) -> None:
    _sent(trio)
    _read(_ingest(trio[RECIPIENT]))
    trio.broker.wipe()
    [after] = _sent(trio)
    _read(_ingest(trio[RECIPIENT]))
    assert trio[RECIPIENT].status(after) == "requested"


def test_what_cannot_be_unpacked_is_passed_over_and_counted(trio: Bench) -> None:
    inbox = trio.register.inbox(RECIPIENT) or ""
    trio.broker.append_unreadable(inbox, 0)
    [referral_id] = _sent(trio)
    with _running(_ingest(trio[RECIPIENT])):
        _eventually(lambda: trio[RECIPIENT].status(referral_id))
    assert _position(trio[RECIPIENT], inbox) == 2
    assert _counted(trio[RECIPIENT], "process_failures_total", event_type="unknown", reason="UNREADABLE_BATCH") == 1


def test_a_broker_that_is_away_is_waited_for(trio: Bench) -> None:
    [referral_id] = _sent(trio)
    trio.broker.go_down()
    ingest = _ingest(trio[RECIPIENT])
    with _running(ingest):
        _eventually(lambda: "KAFKA_UNREACHABLE" in trio.log_lines.text)
        assert not ingest.reading
        trio.broker.come_up()
        _eventually(lambda: trio[RECIPIENT].status(referral_id))
        assert ingest.reading


def test_without_its_inbox_an_agency_knows_that_it_is_not_reading(trio: Bench) -> None:
    inbox = trio.register.inbox(RECIPIENT) or ""
    plans = dict(trio.broker.live_topics())
    trio.broker.wipe(keep_topics=False)
    for name, plan in plans.items():
        if name != inbox:
            trio.broker.create_topic(plan)
    ingest = _ingest(trio[RECIPIENT])
    _read(ingest)
    assert not ingest.reading
    trio.broker.create_topic(plans[inbox])
    _read(ingest)
    assert ingest.reading


def test_a_second_partition_is_read_as_well(trio: Bench) -> None:
    inbox = trio.register.inbox(RECIPIENT) or ""
    trio.broker.change_topic(replace(trio.broker.live_topics()[inbox], partitions=4))
    referral_ids = _sent(trio, 6)
    _read(_ingest(trio[RECIPIENT]))
    assert {trio[RECIPIENT].status(each) for each in referral_ids} == {"requested"}
    with trio[RECIPIENT].ledger.read() as tx:
        read = [at.offset for (topic, _), at in receiving.positions(tx).items() if topic == inbox]
    assert len(read) > 1
    assert sum(read) == 6


def test_the_broker_is_told_how_far_we_are(trio: Bench) -> None:
    _sent(trio, 2)
    _read(_ingest(trio[RECIPIENT]))
    assert trio.broker.committed(f"referral-bus.{RECIPIENT}", trio.register.inbox(RECIPIENT) or "", 0) == 2


def test_what_cannot_be_opened_is_logged_by_its_code_and_nothing_else(trio: Bench) -> None:
    _sent(trio)
    _read(_ingest(trio[RECIPIENT], lambda _: None))
    assert [item.outcome for item in trio[RECIPIENT].owed(SENDER)] == ["RESEAL"]
    assert '"code": "RESEAL"' in trio.log_lines.text
    assert _counted(trio[RECIPIENT], "process_failures_total", event_type="ReferralEvent", reason="RESEAL") == 1
    for planted in (PLANTED_NAME, PLANTED_NEED):
        assert planted not in trio.log_lines.text


def test_a_topic_made_anew_while_it_is_read_is_read_on_from_its_start(trio: Bench) -> None:
    [before] = _sent(trio)
    with _running(_ingest(trio[RECIPIENT])):
        _eventually(lambda: trio[RECIPIENT].status(before))
        trio.broker.wipe()
        [after] = _sent(trio)
        _eventually(lambda: trio[RECIPIENT].status(after))
