"""The relay: keys that are missing or over, restarts at any point, a wiped broker, and receipts that it owes."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from producers.receipts import BROKER_RETRY
from referral_bus.broker.memory import MemoryBroker, MemorySender, MemorySending
from referral_bus.ledger.outbox import OutboxState
from referral_bus.wire.avro_codec import decode
from referral_bus.wire.raw import RawRecord
from schemas.events import AgencyAnnouncement, ReferralEvent
from schemas.sealing_keys import EPOCH
from tests.kit.bench import Bench, make_keyring
from tests.kit.forge import an_announcement, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.topics import decoded, events, receipts


@pytest.fixture
def strangers(tmp_path: Path) -> Iterator[Bench]:
    """Two agencies that have not heard each other yet."""
    made = Bench(tmp_path, (SENDER, RECIPIENT))
    yield made
    made.close()


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


class DyingSender(MemorySender):
    """The process ends when it has sent so many records."""

    def __init__(self, broker: MemoryBroker, left: int) -> None:
        super().__init__(broker)
        self._left = left

    def send(self, record: RawRecord) -> MemorySending | None:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return super().send(record)


class DyingBroker(MemoryBroker):
    """A second door to a broker, by which so many records get through."""

    def __init__(self, broker: MemoryBroker, left: int) -> None:
        super().__init__()
        self._behind, self._left = broker, left

    def sender(self) -> MemorySender:
        return DyingSender(self._behind, self._left)


def state(made: Bench, referral_id: UUID) -> OutboxState | None:
    return made[SENDER].history(referral_id)[0].state


def test_an_event_waits_for_a_key_and_leaves_once_one_is_announced(strangers: Bench) -> None:
    referral_id = strangers[SENDER].refer(RECIPIENT)
    strangers.settle()
    assert state(strangers, referral_id) is OutboxState.WAITING_FOR_KEY
    assert events(strangers, RECIPIENT) == []
    strangers[RECIPIENT].announce()
    strangers.settle()
    assert state(strangers, referral_id) is OutboxState.STORED


def test_waiting_for_one_agencys_key_delays_nothing_to_another(tmp_path: Path) -> None:
    trio = Bench(tmp_path, (SENDER, RECIPIENT, THIRD))
    trio[THIRD].announce()
    trio.settle()
    waiting, prompt = trio[SENDER].refer(RECIPIENT), trio[SENDER].refer(THIRD)
    trio.settle()
    assert (state(trio, waiting), state(trio, prompt)) == (OutboxState.WAITING_FOR_KEY, OutboxState.STORED)
    trio.close()


def test_a_key_announced_while_the_relay_was_looking_is_not_overlooked(pair: Bench) -> None:
    """Between the relay's look at the keys and its word that there is none, a new announcement is taken in."""
    pair.clock.move(4 * EPOCH)
    renewed = make_keyring(pair[RECIPIENT].keyring.signing, pair.clock()).announced(pair.clock())
    announcement = signed(pair, an_announcement(pair, RECIPIENT, 99, sealing_keys=renewed))
    asked: list[datetime] = []
    starting = True

    def clock() -> datetime:
        asked.append(pair.clock())
        if len(asked) == 3 and not starting:  # for restored peers, for what is due, and then for the keys
            assert state(pair, referral_id) is OutboxState.NEW
            pair[SENDER].take(announcement)
        return pair.clock()

    referral_id = pair[SENDER].refer(RECIPIENT)
    relay = pair.make_relay(pair[SENDER].ledger, pair[SENDER].keyring, clock=clock)
    asked.clear()
    starting = False
    relay.tick()
    assert '"event": "waiting_for_key"' in pair.log_lines.text, "it has looked, and found none"
    relay.tick()
    assert state(pair, referral_id) is OutboxState.SENT


def test_it_seals_to_the_key_of_the_epoch_and_never_to_one_that_is_over(pair: Bench) -> None:
    used = []
    for _ in range(4):
        pair[SENDER].refer(RECIPIENT)
        pair[SENDER].send()
        event = decode(events(pair, RECIPIENT)[-1])
        assert isinstance(event, ReferralEvent)
        used.append(event.sealing_key_id)
        pair.clock.move(EPOCH)
    assert len(set(used[:3])) == 3, "one key for each epoch that was announced"
    assert used[3] == used[2], "nothing new has left: the announced keys are over"
    newest = pair[SENDER].history(_newest(pair))[0]
    assert newest.state is OutboxState.WAITING_FOR_KEY


def _newest(pair: Bench) -> UUID:
    with pair[SENDER].ledger.read() as tx:
        row = tx.connection.exec_driver_sql("SELECT referral_id FROM events ORDER BY number DESC LIMIT 1")
        return UUID(row.scalar_one())


def test_new_keys_of_a_returning_agency_are_used_for_what_waited(pair: Bench) -> None:
    pair.clock.move(4 * EPOCH)
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    assert state(pair, referral_id) is OutboxState.WAITING_FOR_KEY
    renewed = make_keyring(pair[RECIPIENT].keyring.signing, pair.clock())
    announced = renewed.announced(pair.clock())
    pair[SENDER].take(signed(pair, an_announcement(pair, RECIPIENT, 99, sealing_keys=announced)))
    pair[SENDER].send()
    event = decode(events(pair, RECIPIENT)[-1])
    assert isinstance(event, ReferralEvent)
    assert renewed.find_sealing(event.sealing_key_id) is not None


@pytest.mark.parametrize("records_sent", range(4))
def test_a_relay_that_dies_anywhere_is_made_up_for_by_its_next_start(pair: Bench, records_sent: int) -> None:
    """Three events, and the process ends before, between and after their sending; nobody waits 30 seconds."""
    referral_ids = [pair[SENDER].refer(RECIPIENT) for _ in range(3)]
    relay = pair.make_relay(pair[SENDER].ledger, pair[SENDER].keyring, DyingBroker(pair.broker, records_sent))
    with pytest.raises(Killed) if records_sent < 3 else nullcontext():
        relay.tick()
    kept = _kept(pair)
    pair[SENDER].reopen()
    pair.settle()
    assert [state(pair, each) for each in referral_ids] == [OutboxState.STORED] * 3
    assert [len(pair[RECIPIENT].history(each)) for each in referral_ids] == [1] * 3
    assert None not in kept
    assert kept == _kept(pair), "what was kept before it left is what is sent again"


def _kept(pair: Bench) -> list[bytes]:
    with pair[SENDER].ledger.read() as tx:
        return list(tx.connection.exec_driver_sql("SELECT value FROM outbox ORDER BY number").scalars())


def test_what_the_broker_has_acknowledged_is_not_sent_again_by_a_restart(pair: Bench) -> None:
    pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair[SENDER].send()  # hears the broker's word
    pair[SENDER].reopen()
    pair[SENDER].send()
    assert len(events(pair, RECIPIENT)) == 1


def test_a_wiped_broker_heals_by_itself(pair: Bench) -> None:
    before, after = pair[SENDER].refer(RECIPIENT), pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair[SENDER].send()
    pair.broker.wipe()
    pair[SENDER].send()
    assert state(pair, before) is OutboxState.SENT
    pair[SENDER].ingest.assign(pair[SENDER].reader)  # as it does within 5 s when a topic was made anew
    pair.settle()
    assert [state(pair, each) for each in (before, after)] == [OutboxState.STORED] * 2
    pair[RECIPIENT].say("accept", before)
    pair.settle()
    assert pair[SENDER].status(before) == "accepted"


def test_receipts_to_one_agency_leave_together(pair: Bench) -> None:
    for _ in range(5):
        pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair[RECIPIENT].read()
    pair[RECIPIENT].send()
    [receipt] = receipts(pair, SENDER)
    assert len(receipt.items) == 5


def test_a_receipt_is_owed_until_the_broker_has_it(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair[RECIPIENT].read()
    pair.broker.fail_sends("timed_out")
    pair[RECIPIENT].send()
    pair[RECIPIENT].send()
    pair.broker.fail_sends(None)
    pair[RECIPIENT].send()
    assert receipts(pair, SENDER) == []
    assert len(pair[RECIPIENT].owed(SENDER)) == 1
    pair.clock.move(BROKER_RETRY)
    pair.settle()
    assert pair[RECIPIENT].owed(SENDER) == []
    assert state(pair, referral_id) is OutboxState.STORED


def test_a_receipt_in_flight_when_the_relay_ends_is_issued_again(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair[RECIPIENT].read()
    pair.broker.go_down()
    pair[RECIPIENT].send()
    pair[RECIPIENT].relay.close()
    pair.broker.come_up()
    pair[RECIPIENT].reopen()
    pair.settle()
    assert state(pair, referral_id) is OutboxState.STORED


def test_of_two_announcements_that_have_not_left_only_the_newer_one_leaves(pair: Bench) -> None:
    for _ in range(2):
        pair[RECIPIENT].announce()
    pair[RECIPIENT].send()
    found = decoded(pair, pair.register.announcement(RECIPIENT))
    assert [each.counter for each in found if isinstance(each, AgencyAnnouncement)] == [1, 3]
