"""The ingest loop: each record once, whatever breaks; how far we are stands beside what was read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consumers.agency.ingest import Ingest
from deploy.app.service.supervisor import Supervisor
from referral_bus.broker.memory import MemoryBroker
from referral_bus.errors import LedgerUnusable, Reason, Unreachable
from referral_bus.federation.register import Register
from referral_bus.ledger import received_events
from referral_bus.logs import make_log
from schemas.outcomes import Outcome
from tests.kit.bench import Bench, LogLines, Station
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, RECIPIENT, SENDER
from tests.kit.registers import changed
from tests.kit.waiting import PATIENCE_S, wait_until

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
def _running(ingest: Ingest, log: LogLines) -> Iterator[None]:
    supervisor = Supervisor(make_log(log))
    supervisor.start("ingest", ingest.run)
    try:
        yield
    finally:
        assert supervisor.finish(PATIENCE_S)


def _position(station: Station, topic: str | None) -> int:
    with station.ledger.read() as tx:
        return received_events.positions(tx)[topic or "", 0].offset


def _counted(station: Station, metric: str, **labels: str) -> float:
    return station.metrics.registry.get_sample_value(f"referralbus_{metric}", labels) or 0


def _unreadable(pair: Bench) -> float:
    return _counted(pair[RECIPIENT], "process_failures_total", event_type="unknown", reason="UNREADABLE_BATCH")


def _sent(pair: Bench, number: int = 1) -> list[UUID]:
    referral_ids = [pair[SENDER].refer(RECIPIENT) for _ in range(number)]
    pair[SENDER].send()
    return referral_ids


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


def _kills(_: str) -> X25519PrivateKey | None:
    raise Killed


def test_after_a_restart_reading_goes_on_where_the_ledger_says(pair: Bench) -> None:
    _sent(pair)
    _read(_ingest(pair[RECIPIENT]))
    [second] = _sent(pair)
    _read(_ingest(pair[RECIPIENT]))
    assert pair[RECIPIENT].status(second) == "requested"
    assert _counted(pair[RECIPIENT], "duplicate_events_total", event_type="ReferralEvent") == 0


def test_a_crash_in_the_middle_of_a_batch_keeps_nothing_of_it_and_no_position(pair: Bench) -> None:
    first, second = _sent(pair, 2)
    inbox = pair.register.inbox(RECIPIENT)
    calls: list[str] = []

    def dies_at_the_second(key_id: str) -> X25519PrivateKey | None:
        calls.append(key_id)
        return pair[RECIPIENT].keyring.find_sealing(key_id) if len(calls) == 1 else _kills(key_id)

    with pytest.raises(Killed):
        _read(_ingest(pair[RECIPIENT], dies_at_the_second))
    assert len(calls) == 2
    assert pair[RECIPIENT].status(first) is None
    assert pair[RECIPIENT].owed(SENDER) == []
    with pair[RECIPIENT].ledger.read() as tx:
        assert (inbox, 0) not in received_events.positions(tx)
    _read(_ingest(pair[RECIPIENT]))
    assert [pair[RECIPIENT].status(each) for each in (first, second)] == ["requested"] * 2
    assert _position(pair[RECIPIENT], inbox) == 2


def test_a_record_that_we_fail_on_stops_no_other_and_is_not_receipted(pair: Bench) -> None:
    first, broken, last = _sent(pair, 3)
    find, calls = pair[RECIPIENT].keyring.find_sealing, iter(range(100))
    at_fault = {1, 3}  # the second record, in the batch and then alone

    def fails(key_id: str) -> X25519PrivateKey | None:
        if next(calls) in at_fault:
            raise ZeroDivisionError(PLANTED_NAME)
        return find(key_id)

    _read(_ingest(pair[RECIPIENT], fails))
    assert [pair[RECIPIENT].status(each) for each in (first, broken, last)] == ["requested", None, "requested"]
    assert len(pair[RECIPIENT].owed(SENDER)) == 2
    assert _position(pair[RECIPIENT], pair.register.inbox(RECIPIENT)) == 3
    assert _counted(pair[RECIPIENT], "process_failures_total", event_type="unknown", reason="DEFECT") == 1
    assert "ZeroDivisionError in " in pair.log_lines.text
    assert PLANTED_NAME not in pair.log_lines.text


def test_while_something_does_not_answer_a_batch_waits_and_nothing_is_skipped(pair: Bench) -> None:
    [referral_id] = _sent(pair)
    away: list[str] = []

    def register() -> Register:
        if away:
            raise Unreachable(Reason.LEDGER_UNREACHABLE, away.pop())
        return pair.register

    ingest = _ingest(pair[RECIPIENT], register=register)
    reader = ingest.reader()
    ingest.assign(reader)
    away.append("away for a moment")
    with pytest.raises(Unreachable):
        ingest.step(reader, 0)
    assert pair[RECIPIENT].owed(SENDER) == []
    _read(ingest)
    assert pair[RECIPIENT].status(referral_id) == "requested"


def test_a_held_event_that_we_fail_on_stops_no_other_and_stays_held(pair: Bench) -> None:
    pair.own_registers[SENDER] = changed(pair.register, version=pair.register.version + 1)
    first, broken, last = _sent(pair, 3)
    _read(_ingest(pair[RECIPIENT]))
    assert [item.outcome for item in pair[RECIPIENT].owed(SENDER)] == [Outcome.HELD] * 3
    pair.own_registers[RECIPIENT] = pair.own_registers[SENDER]
    find, calls = pair[RECIPIENT].keyring.find_sealing, iter(range(100))
    at_fault = {1, 3}  # the second of them, among all and then alone

    def fails(key_id: str) -> X25519PrivateKey | None:
        if next(calls) in at_fault:
            raise ZeroDivisionError(PLANTED_NAME)
        return find(key_id)

    _ingest(pair[RECIPIENT], fails).judge_held()
    assert [pair[RECIPIENT].status(each) for each in (first, broken, last)] == ["requested", None, "requested"]
    assert "ZeroDivisionError in " in pair.log_lines.text
    assert PLANTED_NAME not in pair.log_lines.text
    _ingest(pair[RECIPIENT]).judge_held()
    assert pair[RECIPIENT].status(broken) == "requested"


def test_a_ledger_that_cannot_be_used_any_more_skips_nothing_either(pair: Bench) -> None:
    _sent(pair, 2)

    def damaged(_: str) -> X25519PrivateKey | None:
        raise LedgerUnusable(Reason.LEDGER_DAMAGED, "restore a backup", "ledger")

    with pytest.raises(LedgerUnusable):
        _read(_ingest(pair[RECIPIENT], damaged))
    with pair[RECIPIENT].ledger.read() as tx:
        assert (pair.register.inbox(RECIPIENT), 0) not in received_events.positions(tx)


def test_a_topic_made_anew_is_read_from_its_start(pair: Bench) -> None:
    _sent(pair)
    _read(_ingest(pair[RECIPIENT]))
    pair.broker.wipe()
    [after] = _sent(pair)
    _read(_ingest(pair[RECIPIENT]))
    assert pair[RECIPIENT].status(after) == "requested"


def test_what_cannot_be_unpacked_is_passed_over_and_counted(pair: Bench) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    pair.broker.append_unreadable(inbox, 0)
    [referral_id] = _sent(pair)
    with _running(_ingest(pair[RECIPIENT]), pair.log_lines):
        wait_until(lambda: pair[RECIPIENT].status(referral_id))
    assert _position(pair[RECIPIENT], inbox) == 2
    assert _unreadable(pair) == 1


def test_many_that_cannot_be_unpacked_are_passed_over_by_one_reader_and_what_is_between_is_read(pair: Bench) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    referral_ids = []
    for _ in range(3):
        for _ in range(30):
            pair.broker.append_unreadable(inbox, 0)
        referral_ids += _sent(pair)
    ingest = _ingest(pair[RECIPIENT])
    reader = ingest.reader()
    ingest.assign(reader)

    ingest.step(reader, 0)

    assert {pair[RECIPIENT].status(each) for each in referral_ids} == {"requested"}
    assert _position(pair[RECIPIENT], inbox) == 93
    assert _unreadable(pair) == 90
    assert pair.log_lines.text.count("not_taken") == 1


@pytest.mark.parametrize("tail", [MemoryBroker.append_unreadable, MemoryBroker.append_marker])
def test_where_nothing_else_comes_the_position_moves_all_the_same(
    pair: Bench, tail: Callable[[MemoryBroker, str, int], None]
) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    _sent(pair)
    tail(pair.broker, inbox, 0)
    for _ in range(2):  # as before and after a restart
        _read(_ingest(pair[RECIPIENT]))
        assert _position(pair[RECIPIENT], inbox) == 2
        assert pair.broker.committed(f"referral-bus.{RECIPIENT}", inbox, 0) == 2, "others see no lag"
        assert _unreadable(pair) == (tail is MemoryBroker.append_unreadable)
    pair.broker.append_unreadable(inbox, 0)
    _read(_ingest(pair[RECIPIENT]))
    assert _position(pair[RECIPIENT], inbox) == 3
    assert pair.broker.committed(f"referral-bus.{RECIPIENT}", inbox, 0) == 3


def test_a_record_that_we_fail_on_moves_no_position_back(pair: Bench) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    pair.broker.append_unreadable(inbox, 0)
    _sent(pair, 2)

    def fails(_: str) -> X25519PrivateKey | None:
        raise ZeroDivisionError

    _read(_ingest(pair[RECIPIENT], fails))
    assert _position(pair[RECIPIENT], inbox) == 3
    assert _unreadable(pair) == 1


def test_what_is_not_kept_is_not_passed_over_either(pair: Bench) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    _sent(pair)
    pair.broker.append_unreadable(inbox, 0)
    with pytest.raises(Killed):
        _read(_ingest(pair[RECIPIENT], _kills))
    with pair[RECIPIENT].ledger.read() as tx:
        assert (inbox, 0) not in received_events.positions(tx)
    assert _unreadable(pair) == 0


def test_a_broker_that_is_away_is_waited_for(pair: Bench) -> None:
    [referral_id] = _sent(pair)
    pair.broker.go_down()
    ingest = _ingest(pair[RECIPIENT])
    with _running(ingest, pair.log_lines):
        wait_until(lambda: "KAFKA_UNREACHABLE" in pair.log_lines.text)
        assert not ingest.reading
        pair.broker.come_up()
        wait_until(lambda: pair[RECIPIENT].status(referral_id))
        assert ingest.reading


def test_without_its_inbox_an_agency_knows_that_it_is_not_reading(pair: Bench) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    plans = dict(pair.broker.live_topics())
    pair.broker.wipe(keep_topics=False)
    for name, plan in plans.items():
        if name != inbox:
            pair.broker.create_topic(plan)
    ingest = _ingest(pair[RECIPIENT])
    _read(ingest)
    assert not ingest.reading
    pair.broker.create_topic(plans[inbox])
    _read(ingest)
    assert ingest.reading


def test_a_second_partition_is_read_as_well(pair: Bench) -> None:
    inbox = pair.register.inbox(RECIPIENT) or ""
    pair.broker.change_topic(replace(pair.broker.live_topics()[inbox], partitions=4))
    referral_ids = _sent(pair, 6)
    _read(_ingest(pair[RECIPIENT]))
    assert {pair[RECIPIENT].status(each) for each in referral_ids} == {"requested"}
    with pair[RECIPIENT].ledger.read() as tx:
        read = [at.offset for (topic, _), at in received_events.positions(tx).items() if topic == inbox]
    assert len(read) > 1
    assert sum(read) == 6


def test_the_broker_is_told_how_far_we_are(pair: Bench) -> None:
    _sent(pair, 2)
    _read(_ingest(pair[RECIPIENT]))
    assert pair.broker.committed(f"referral-bus.{RECIPIENT}", pair.register.inbox(RECIPIENT) or "", 0) == 2


def test_what_cannot_be_opened_is_logged_by_its_code_and_nothing_else(pair: Bench) -> None:
    _sent(pair)
    _read(_ingest(pair[RECIPIENT], lambda _: None))
    assert [item.outcome for item in pair[RECIPIENT].owed(SENDER)] == ["RESEAL"]
    assert '"code": "RESEAL"' in pair.log_lines.text
    assert _counted(pair[RECIPIENT], "process_failures_total", event_type="ReferralEvent", reason="RESEAL") == 1
    for planted in (PLANTED_NAME, PLANTED_NEED):
        assert planted not in pair.log_lines.text


def test_a_topic_made_anew_while_it_is_read_is_read_on_from_its_start(pair: Bench) -> None:
    [before] = _sent(pair)
    with _running(_ingest(pair[RECIPIENT]), pair.log_lines):
        wait_until(lambda: pair[RECIPIENT].status(before))
        pair.broker.wipe()
        [after] = _sent(pair)
        wait_until(lambda: pair[RECIPIENT].status(after))


def test_a_flood_of_what_is_not_taken_is_counted_and_fills_no_log(pair: Bench) -> None:
    _sent(pair, 50)
    _read(_ingest(pair[RECIPIENT], lambda _: None))
    assert _counted(pair[RECIPIENT], "process_failures_total", event_type="ReferralEvent", reason="RESEAL") == 50
    assert pair.log_lines.text.count("not_taken") == 1
