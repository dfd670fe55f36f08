"""The relay against a host that drops and holds back: nothing waits for a pause that need not, nothing goes twice."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from producers.receipts import BROKER_RETRY
from producers.relay import TIDY_EVERY
from referral_bus.ledger.outbox import LONGEST_PAUSE, OutboxState
from schemas.events import Place
from schemas.outcomes import Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, an_announcement, signed
from tests.kit.hostile import HostileBroker
from tests.kit.made_once import AT_REST
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.topics import events, receipts


@pytest.fixture
def host() -> HostileBroker:
    return HostileBroker()


@pytest.fixture
def pair(tmp_path: Path, host: HostileBroker) -> Iterator[Bench]:
    """Two agencies that know each other; from now on the host decides what arrives."""
    made = Bench(tmp_path, (SENDER, RECIPIENT), broker=host)
    made.announce()
    host.hostile = True
    yield made
    made.close()


def conversation(pair: Bench, words: int) -> UUID:
    referral_id = pair[SENDER].refer(RECIPIENT)
    for number in range(words):
        pair[SENDER].say("answer", referral_id, text=f"Synthetic word {number}.")
    return referral_id


def states(pair: Bench, referral_id: UUID) -> list[OutboxState | None]:
    return [step.state for step in pair[SENDER].history(referral_id)]


def rounds(pair: Bench, host: HostileBroker, number: int = 12) -> None:
    """The host delivers everything that is sent; no time passes."""
    for _ in range(number):
        pair.settle()
        host.deliver_all()


def digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()


def test_a_missing_event_is_sent_at_once_and_the_rest_follow_when_it_is_final(pair: Bench, host: HostileBroker) -> None:
    referral_id = conversation(pair, words=3)
    pair[SENDER].send()
    host.drop(0)
    rounds(pair, host)
    assert states(pair, referral_id) == [OutboxState.STORED] * 4
    assert [step.place for step in pair[RECIPIENT].history(referral_id)] == [Place(1, n) for n in range(1, 5)]


def test_a_missing_event_is_sent_from_the_position_that_the_recipient_holds(pair: Bench, host: HostileBroker) -> None:
    conversation(pair, words=3)
    pair[SENDER].send()
    host.drop(1)
    for _ in range(3):
        host.deliver(0)
    pair[RECIPIENT].read()
    pair[RECIPIENT].send()
    host.deliver_all()
    pair[SENDER].read()
    pair[SENDER].send()
    host.deliver_all()
    sent = events(pair, RECIPIENT)
    assert len(sent) == 4, "the first, third and fourth, and now the second alone"
    assert len(set(sent)) == 4


def test_an_event_that_is_asked_for_though_it_is_final_is_sent_once_and_not_reopened(
    pair: Bench, host: HostileBroker
) -> None:
    """A late word about the second event tells an older position than the one held by now."""
    referral_id = conversation(pair, words=1)
    pair[SENDER].send()
    host.deliver_all()
    first, second = events(pair, RECIPIENT)
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(first)))
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(second), Outcome.MISSING))
    pair[SENDER].send()
    host.deliver_all()
    assert events(pair, RECIPIENT) == [first, second, first]
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(second)))
    pair[SENDER].send()
    pair.clock.move(LONGEST_PAUSE)
    pair[SENDER].send()
    host.deliver_all()
    assert len(events(pair, RECIPIENT)) == 3
    assert states(pair, referral_id) == [OutboxState.STORED] * 2


def test_a_held_event_is_not_asked_for_by_what_waits_behind_it(pair: Bench, host: HostileBroker) -> None:
    """Somebody at the recipient has to act first; sending it again for each word behind it would help nobody."""
    referral_id = conversation(pair, words=1)
    pair[SENDER].send()
    host.deliver_all()
    first, second = events(pair, RECIPIENT)
    pair[SENDER].take(
        a_receipt(pair, RECIPIENT, SENDER, digest(first), Outcome.HELD),
        a_receipt(pair, RECIPIENT, SENDER, digest(second), Outcome.MISSING),
    )
    pair[SENDER].send()
    host.deliver_all()
    assert events(pair, RECIPIENT) == [first, second]
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(first)))
    pair[SENDER].send()
    host.deliver_all()
    assert events(pair, RECIPIENT) == [first, second, second], "once it is final the next one goes"
    assert states(pair, referral_id)[0] == OutboxState.STORED


def test_an_event_that_is_held_while_it_waits_behind_another_is_sent_again_one_day(
    pair: Bench, host: HostileBroker
) -> None:
    conversation(pair, words=1)
    pair[SENDER].send()
    host.deliver_all()
    first, second = events(pair, RECIPIENT)
    host.kept.clear()
    pair.clock.move(TIDY_EVERY + timedelta(seconds=1))
    pair[SENDER].send()  # what waits behind another has no time of its own from now on
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(second), Outcome.HELD))
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(first)))
    pair[SENDER].send()
    host.deliver_all()
    assert events(pair, RECIPIENT)[-1] == second


def test_after_a_restart_all_that_may_be_lost_leaves_in_one_round(pair: Bench, host: HostileBroker) -> None:
    conversation(pair, words=2)
    pair[SENDER].send()
    host.kept.clear()
    pair[SENDER].reopen()  # before it has heard the broker's word
    pair[SENDER].send()
    assert len(host.kept) == 3


def test_what_the_broker_has_refused_leaves_in_one_round_after_its_pause(pair: Bench, host: HostileBroker) -> None:
    conversation(pair, words=2)
    host.lie()
    for _ in range(2):
        pair[SENDER].send()
    host.kept.clear()
    host.lie()
    pair.clock.move(BROKER_RETRY)
    pair[SENDER].send()
    assert len(host.kept) == 3


def test_a_restart_sends_nothing_that_has_its_receipt_though_the_broker_has_not_answered(
    pair: Bench, host: HostileBroker
) -> None:
    referral_id = conversation(pair, words=0)
    pair[SENDER].send()
    host.deliver_all()
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(events(pair, RECIPIENT)[0])))
    pair[SENDER].reopen()
    pair[SENDER].send()
    assert host.kept == []
    assert states(pair, referral_id) == [OutboxState.STORED]


def test_a_receipt_on_its_way_is_not_sent_a_second_time(pair: Bench, host: HostileBroker) -> None:
    host.hostile = False
    conversation(pair, words=0)
    pair[SENDER].send()
    pair[RECIPIENT].read()
    host.go_down()
    for _ in range(3):
        pair[RECIPIENT].send()
    host.come_up()
    pair[RECIPIENT].send()
    assert len(receipts(pair, SENDER)) == 1


def test_an_event_is_sealed_anew_once_for_a_key_that_is_gone(pair: Bench, host: HostileBroker) -> None:
    """A replayed word about bytes that were replaced since says nothing about those under way."""
    referral_id = conversation(pair, words=0)
    pair[SENDER].send()
    host.deliver_all()
    [old] = events(pair, RECIPIENT)
    newer_keys = tuple(
        key.model_copy(update={"public_key": hashlib.sha256(AT_REST + key.public_key).digest()})
        for key in pair[RECIPIENT].keyring.announced(pair.clock())
    )
    pair[SENDER].take(signed(pair, an_announcement(pair, RECIPIENT, 99, sealing_keys=newer_keys)))
    for _ in range(2):
        pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest(old), Outcome.RESEAL))
        pair[SENDER].send()
        pair[SENDER].send()
    host.deliver_all()
    values = events(pair, RECIPIENT)
    assert len(set(values)) == 2
    assert states(pair, referral_id) == [OutboxState.SENT]
