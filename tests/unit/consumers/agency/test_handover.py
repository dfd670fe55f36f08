"""Hand-over: to a Python handler, and by pull with a cursor. At least once, in order for each referral."""

import threading
import time
from datetime import timedelta
from uuid import UUID

import pytest

from consumers.agency.handover import LONGEST_LOOK_S, LOOK_S
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import Received
from schemas.lifecycle import Side
from schemas.personal import ReferralBody
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, body_for, event_record
from tests.kit.handing import PAUSE, handover, until_quiet
from tests.kit.people import PLANTED_NAME, RECIPIENT, SENDER, THIRD
from tests.kit.waiting import PATIENCE_S


def _conversation(trio: Bench) -> UUID:
    """A referral with three words of its sender, all stored by RECIPIENT."""
    referral_id = trio[SENDER].refer(RECIPIENT)
    for number in range(3):
        trio[SENDER].say("answer", referral_id, text=f"Synthetic word {number}.")
    trio.settle()
    return referral_id


def _pulled(trio: Bench, cursor: int = 0, most: int = 100) -> list[Received]:
    with trio[RECIPIENT].ledger.read() as tx:
        return handovers.after_cursor(tx, cursor, most)


def _said(received: Received) -> str | None:
    return None if isinstance(received.body, ReferralBody) or received.body is None else received.body.text


def test_the_events_of_a_referral_are_handed_over_in_order_one_after_the_other(trio: Bench) -> None:
    _conversation(trio)
    seen: list[tuple[str, str | None]] = []
    at_work = threading.Lock()

    def handler(received: Received) -> None:
        assert at_work.acquire(blocking=False), "two at once"
        time.sleep(0.002)
        seen.append((received.record, _said(received)))
        at_work.release()

    with handover(trio, handler) as made:
        until_quiet(made)
    words = [("StatusEvent", f"Synthetic word {number}.") for number in range(3)]
    assert seen == [("ReferralEvent", None), *words]


def test_what_is_handed_over_says_everything_that_the_agencys_system_needs(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    [received] = _pulled(trio)
    assert received.referral == (SENDER, referral_id)
    assert (received.side, received.peer, received.status) == (Side.RECIPIENT, SENDER, None)
    assert received.body == body_for(RECIPIENT)
    assert received.event_id == trio[SENDER].history(referral_id)[0].event_id
    assert PLANTED_NAME not in repr(received)


def test_a_failing_handler_blocks_only_its_own_referral_and_is_tried_again_after_the_pause(trio: Bench) -> None:
    failing, other = _conversation(trio), _conversation(trio)
    handed: list[UUID] = []
    tried: list[UUID] = []
    healed = threading.Event()

    def handler(received: Received) -> None:
        if received.referral.referral_id == failing and not healed.is_set():
            tried.append(received.event_id)
            raise OSError(PLANTED_NAME)
        handed.append(received.referral.referral_id)

    with handover(trio, handler) as made:
        until_quiet(made)
        assert handed == [other] * 4
        assert len(tried) == 1
        trio.clock.move(PAUSE - timedelta(milliseconds=1))
        until_quiet(made)
        assert len(tried) == 1
        healed.set()
        trio.clock.move(timedelta(milliseconds=1))
        until_quiet(made)
    assert handed == [other] * 4 + [failing] * 4
    assert '"where": "OSError in ' in trio.log_lines.text
    assert PLANTED_NAME not in trio.log_lines.text


def test_a_repeated_hand_over_carries_the_same_id(trio: Bench) -> None:
    _conversation(trio)
    seen: list[UUID] = []

    def dies_after_its_work(received: Received) -> None:
        seen.append(received.event_id)
        if len(seen) == 1:
            raise RuntimeError

    with handover(trio, dies_after_its_work) as made:
        until_quiet(made)
        trio.clock.move(PAUSE)
        until_quiet(made)
    assert len(seen) == 5
    assert seen[0] == seen[1]
    assert len(set(seen)) == 4


def test_what_was_handed_over_is_not_handed_over_again_after_a_restart(trio: Bench) -> None:
    _conversation(trio)
    seen: list[UUID] = []
    for _ in range(2):
        with handover(trio, lambda received: seen.append(received.event_id)) as made:
            until_quiet(made)
    assert len(seen) == 4


def test_different_referrals_are_handed_over_in_parallel_by_so_many_workers(trio: Bench) -> None:
    for _ in range(3):
        trio[SENDER].refer(RECIPIENT)
    trio.settle()
    begun, release = threading.Semaphore(0), threading.Event()

    def handler(_: Received) -> None:
        begun.release()
        release.wait(PATIENCE_S)

    with handover(trio, handler, workers=2) as made:
        made.tick()
        assert all(begun.acquire(timeout=PATIENCE_S) for _ in range(2))
        made.tick()
        assert not begun.acquire(timeout=0.05), "there are two workers"
        release.set()
        until_quiet(made)
        assert begun.acquire(timeout=0)


def test_a_handler_that_hangs_is_looked_at_less_and_less_and_costs_no_processor(trio: Bench) -> None:
    trio[SENDER].refer(RECIPIENT)
    trio.settle()
    release = threading.Event()

    def hangs(_: Received) -> None:
        release.wait(PATIENCE_S)

    with handover(trio, hangs, workers=2) as made:
        assert made.tick() == LOOK_S
        assert [made.tick() for _ in range(30)][-1] == LONGEST_LOOK_S
        release.set()
        until_quiet(made)
        trio[SENDER].refer(RECIPIENT)
        trio.settle()
        assert made.tick() == LOOK_S


def test_a_handler_that_does_not_return_is_told_by_its_cursor_once_in_a_while(
    trio: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.agency.handover.SLOW_S", 0.0)
    trio[SENDER].refer(RECIPIENT)
    trio.settle()
    release = threading.Event()

    def hangs(_: Received) -> None:
        release.wait(PATIENCE_S)

    with handover(trio, hangs) as made:
        for _ in range(3):
            made.tick()
        release.set()
    assert trio.log_lines.text.count('"event": "handover_slow"') == 1


def test_closing_waits_for_handlers_at_work_remembers_what_they_took_and_begins_nothing(trio: Bench) -> None:
    for _ in range(2):
        trio[SENDER].refer(RECIPIENT)
    trio.settle()
    seen: list[UUID] = []

    def slow(received: Received) -> None:
        time.sleep(0.05)
        seen.append(received.event_id)

    with handover(trio, slow, workers=1) as made:
        made.tick()
    assert len(seen) == 1
    with handover(trio, slow, workers=1) as made:
        until_quiet(made)
    assert len(seen) == len(set(seen)) == 2


def test_a_refused_event_is_not_handed_over(trio: Bench) -> None:
    trio[RECIPIENT].take(event_record(trio, a_referral(trio, SENDER, RECIPIENT), body_for(THIRD)))
    assert _pulled(trio) == []


def test_the_cursor_follows_the_order_of_storing_across_referrals_and_senders(trio: Bench) -> None:
    first = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    second = trio[THIRD].refer(RECIPIENT)
    trio.settle()
    trio[SENDER].say("answer", first, text="Synthetic word.")
    trio.settle()
    found = _pulled(trio)
    assert [each.referral.referral_id for each in found] == [first, second, first]
    assert [each.cursor for each in found] == sorted(each.cursor for each in found)
    assert _pulled(trio, found[0].cursor) == found[1:]
    assert _pulled(trio, 0, most=2) == found[:2]
    assert _pulled(trio, found[-1].cursor) == []


def test_passing_a_cursor_takes_what_is_before_it_and_nothing_after(trio: Bench) -> None:
    for _ in range(3):
        trio[SENDER].refer(RECIPIENT)
    trio.settle()
    first, second, third = _pulled(trio)
    with trio[RECIPIENT].ledger.write() as tx:
        handovers.acknowledged_up_to(tx, second.cursor, trio[RECIPIENT].writing())
    seen: list[int] = []
    with handover(trio, lambda received: seen.append(received.cursor)) as made:
        until_quiet(made)
    assert seen == [third.cursor]
    assert [each.cursor for each in _pulled(trio)] == [first.cursor, second.cursor, third.cursor], "asked again: again"


def test_our_own_words_are_not_handed_over_to_ourselves(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio[RECIPIENT].say("accept", referral_id)
    trio.settle()
    assert [each.record for each in _pulled(trio)] == ["ReferralEvent"]
    with trio[SENDER].ledger.read() as tx:
        [received] = handovers.after_cursor(tx, 0, 10)
    assert (received.side, received.status) == (Side.SENDER, "accepted")
