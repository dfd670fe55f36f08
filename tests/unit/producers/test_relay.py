"""The relay: an event is due until its addressee's receipt says otherwise, and nobody delays anybody else."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from typing_extensions import override

from producers.receipts import BROKER_RETRY
from producers.relay import AT_ONCE, IDLE_S
from referral_bus.ledger import outbox, queries, receipts_owed
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.outbox_due import due
from referral_bus.ledger.store import Ledger
from referral_bus.rollback_guard import RollbackGuard
from referral_bus.wire.record import Opened, read
from schemas.events import ReferralEvent
from schemas.outcomes import Outcome
from tests.kit.bench import RESEND_AFTER, Bench, Station, bench
from tests.kit.forge import a_receipt, body_for
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, RECIPIENT, SENDER, THIRD, request
from tests.kit.topics import events, records


def state(station: Station, referral_id: UUID) -> list[OutboxState | None]:
    return [step.state for step in station.history(referral_id) if step.way == "sent"]


def waiting_in_outbox(station: Station) -> int:
    with station.ledger.read() as tx:
        return queries.counts(tx).outbox


def test_an_event_leaves_sealed_to_its_addressee_and_signed(pair: Bench) -> None:
    pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    [raw] = records(pair, pair.register.inbox(RECIPIENT))
    opened = read(raw, pair.register, RECIPIENT, pair.clock(), pair[RECIPIENT].keyring.find_sealing)
    assert isinstance(opened, Opened)
    assert isinstance(opened.event, ReferralEvent)
    assert opened.body == body_for(RECIPIENT)
    for planted in (PLANTED_NAME, PLANTED_NEED):
        assert planted.encode() not in raw.value


def test_the_brokers_word_empties_no_outbox_and_the_addressees_receipt_does(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    assert state(pair[SENDER], referral_id) == [OutboxState.NEW]
    for _ in range(3):
        pair[SENDER].send()
    assert state(pair[SENDER], referral_id) == [OutboxState.SENT]
    pair.settle()
    assert state(pair[SENDER], referral_id) == [OutboxState.STORED]
    assert waiting_in_outbox(pair[SENDER]) == 0


def test_a_lost_receipt_is_made_up_for_after_30_seconds_by_the_same_bytes_and_a_second_receipt(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair[RECIPIENT].read()
    [lost] = pair[RECIPIENT].owed(SENDER)
    with pair[RECIPIENT].ledger.write() as tx:
        receipts_owed.sent(tx, [1])  # the broker has it, and loses it
    pair.clock.move(RESEND_AFTER - timedelta(milliseconds=1))
    pair.settle()
    assert len(events(pair, RECIPIENT)) == 1
    pair.clock.move(timedelta(milliseconds=1))
    pair.settle()
    first, again = events(pair, RECIPIENT)
    assert first == again
    assert lost.outcome == Outcome.STORED
    assert state(pair[SENDER], referral_id) == [OutboxState.STORED]
    assert len(pair[RECIPIENT].history(referral_id)) == 1
    pair.clock.move(RESEND_AFTER)
    pair.settle()
    assert len(events(pair, RECIPIENT)) == 2


def test_only_the_oldest_unreceipted_event_of_a_referral_is_sent_again(pair: Bench) -> None:
    first, other = pair[SENDER].refer(RECIPIENT), pair[SENDER].refer(RECIPIENT)
    for number in range(3):
        pair[SENDER].say("answer", first, text=f"Synthetic word {number}.")
    pair[SENDER].send()
    sent = events(pair, RECIPIENT)
    assert len(sent) == 5
    pair[SENDER].send()
    pair.clock.move(RESEND_AFTER)
    pair[SENDER].send()
    oldest = [_of(pair, referral_id) for referral_id in (first, other)]
    assert sorted(events(pair, RECIPIENT)[5:]) == sorted(oldest)


def _of(pair: Bench, referral_id: UUID) -> bytes:
    """The bytes of the first event of a referral."""
    return next(
        raw.value for raw in records(pair, pair.register.inbox(RECIPIENT)) if raw.key == str(referral_id).encode()
    )


def test_an_event_that_only_waits_for_an_older_one_does_not_keep_the_relay_busy(pair: Bench) -> None:
    """RECIPIENT is away. The second event's pause is over for good; only the first one's next pause counts."""
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].say("answer", referral_id, text="Synthetic word.")
    for _ in range(3):
        pair[SENDER].relay.tick()
        pair.clock.move(RESEND_AFTER)
    for _ in range(2):
        pair[SENDER].relay.tick()
    assert pair[SENDER].relay.tick() == IDLE_S


def test_the_relay_wakes_up_in_time_for_the_next_pause_to_end(pair: Bench) -> None:
    pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair.clock.move(RESEND_AFTER - timedelta(milliseconds=200))
    assert pair[SENDER].relay.tick() == pytest.approx(0.2)


def test_an_outbox_of_one_recipient_leaves_room_for_anothers(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as trio:
        for _ in range(3):
            trio[SENDER].refer(RECIPIENT)
        trio[SENDER].refer(THIRD)
        with trio[SENDER].ledger.read() as tx:
            found = due(tx, trio.clock(), {}, 2)
            assert sorted(row.addressee for row in found) == sorted([RECIPIENT, RECIPIENT, THIRD])
            under_way = {row.number: row.addressee for row in found}
            assert [row.addressee for row in due(tx, trio.clock(), under_way, 3)] == [RECIPIENT]
            assert due(tx, trio.clock(), under_way, 2) == []


def test_while_kafka_is_away_no_more_is_under_way_however_much_waits(pair: Bench) -> None:
    pair[SENDER].publish(*[request(RECIPIENT) for _ in range(2 * AT_ONCE)])
    pair.broker.go_down()
    for _ in range(5):
        pair[SENDER].relay.tick()
    with pair[SENDER].ledger.read() as tx:
        left = tx.connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE state = 'sent'").scalar_one()
    assert left == AT_ONCE
    pair.broker.come_up()
    pair.settle(20)
    assert len(events(pair, RECIPIENT)) == 2 * AT_ONCE


def test_a_missing_topic_delays_nobody_else(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT, THIRD) as trio:
        plans = trio.broker.live_topics()
        trio.broker.wipe(keep_topics=False)
        for name, plan in plans.items():
            if name != trio.register.inbox(RECIPIENT):
                trio.broker.create_topic(plan)
        late, prompt = trio[SENDER].refer(RECIPIENT), trio[SENDER].refer(THIRD)
        trio.settle()
        assert state(trio[SENDER], prompt) == [OutboxState.STORED]
        assert state(trio[SENDER], late) == [OutboxState.SENT]
        assert '"code": "topic_missing"' in trio.log_lines.text
        trio.broker.create_topic(plans[trio.register.inbox(RECIPIENT) or ""])
        trio[RECIPIENT].reopen()
        trio.settle()
        assert state(trio[SENDER], late) == [OutboxState.SENT], "a broker that refuses is not asked without a pause"
        trio.clock.move(BROKER_RETRY)
        trio.settle()
        assert state(trio[SENDER], late) == [OutboxState.STORED]


def test_a_broker_that_takes_no_more_bytes_is_asked_again_later(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as pair:
        pair.broker.in_flight_bytes = 1  # one record at a time
        pair.broker.go_down()
        referral_ids = [pair[SENDER].refer(RECIPIENT) for _ in range(3)]
        for _ in range(3):
            pair[SENDER].send()
        assert '"code": "busy"' in pair.log_lines.text
        pair.broker.come_up()
        for _ in range(4):
            pair.clock.move(BROKER_RETRY)
            pair.settle()
        assert {pair[RECIPIENT].status(each) for each in referral_ids} == {"requested"}


def test_a_receipt_that_overtakes_the_brokers_failure_is_not_undone_by_it(pair: Bench) -> None:
    """The broker has the record, says after a time-out that it has not, and meanwhile the receipt is here."""
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    [raw] = records(pair, pair.register.inbox(RECIPIENT))
    with pair[SENDER].ledger.read() as tx:
        rows = due(tx, pair.clock() + RESEND_AFTER, {}, 9)
    pair.settle()
    with pair[SENDER].ledger.write() as tx:
        outbox.broker_refused(tx, {row.number: "timed_out" for row in rows}, pair.clock())
    pair.settle()
    assert state(pair[SENDER], referral_id) == [OutboxState.STORED]
    assert events(pair, RECIPIENT) == [raw.value]


class _Meanwhile(RollbackGuard):
    """While the marks are written, which takes a moment, somebody does something."""

    def __init__(self, folder: Path, does: Callable[[], object]) -> None:
        super().__init__(folder)
        self._does = does

    @override
    def keep_up(self, ledger: Ledger) -> None:
        super().keep_up(ledger)
        self._does()
        self._does = lambda: None


def test_what_is_withdrawn_while_it_is_being_sealed_does_not_go_and_leaves_no_bytes(pair: Bench) -> None:
    station = pair[SENDER]
    referral = station.refer(RECIPIENT)
    rollback_guard = _Meanwhile(station.rollback_guard.folder, lambda: station.withdraw(referral))
    relay = pair.make_relay(station.ledger, station.keyring, rollback_guard=rollback_guard)
    relay.tick()
    with station.ledger.read() as tx:
        left = tx.connection.exec_driver_sql("SELECT state, value FROM outbox ORDER BY number").all()
    assert left[0] == ("erased", None)
    assert events(pair, RECIPIENT) == []


def test_what_is_withdrawn_while_its_key_is_looked_for_stays_erased(pair: Bench) -> None:
    station = pair[SENDER]
    referral = station.refer(RECIPIENT)
    with station.ledger.read() as tx:
        [row] = due(tx, pair.clock(), {}, 9)
    station.withdraw(referral)
    with station.ledger.write() as tx:
        outbox.waits_for_key(tx, [row.number])
    assert station.history(referral)[0].state is OutboxState.ERASED


def test_a_word_that_it_is_held_does_not_keep_it_from_being_sealed_anew(pair: Bench) -> None:
    station = pair[SENDER]
    referral = station.refer(RECIPIENT)
    station.send()
    [value] = events(pair, RECIPIENT)
    for outcome in (Outcome.RESEAL, Outcome.HELD):
        station.take(a_receipt(pair, RECIPIENT, SENDER, hashlib.sha256(value).digest(), outcome))
    assert station.history(referral)[0].state is OutboxState.SENT
