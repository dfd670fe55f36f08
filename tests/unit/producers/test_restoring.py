"""A ledger that was lost, and its backup put back: what others have sent comes again, what was erased stays erased."""

from datetime import timedelta

import pytest

from referral_bus.broker.protocols import Position
from referral_bus.errors import LedgerUnusable, Reason
from referral_bus.ledger import handovers, received_events
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.rollback_guard import HighWater
from schemas.lifecycle import ErasureReason, Status
from schemas.outcomes import Code
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER


def _codes(made: Bench, *codes: str) -> set[str | None]:
    found = set()
    for code in codes:
        for referral in made.stations[code].referrals():
            found |= {step.code for step in made[code].history(referral)}
    return found


def test_a_recipient_gets_again_what_its_ledger_has_lost(pair: Bench) -> None:
    before = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    backup = pair[RECIPIENT].back_up()
    lost = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].say("accept", before)
    pair[RECIPIENT].say("accept", lost)
    pair.settle()
    pair.broker.wipe()
    pair[RECIPIENT].restore(backup)
    pair.announce()
    pair.clock.move(timedelta(minutes=1))
    pair.settle(20)
    for referral in (before, lost):
        assert pair[RECIPIENT].status(referral) == pair[SENDER].status(referral) == Status.REQUESTED
    assert not _codes(pair, SENDER, RECIPIENT) & {Code.EQUIVOCATION, Code.OLD_INCARNATION, Code.TRANSITION_REFUSED}


def test_its_automatic_word_meets_no_deadline_and_a_persons_word_does(pair: Bench) -> None:
    backup = pair[RECIPIENT].back_up()
    lost = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].restore(backup)
    pair.announce()
    pair.settle(20)
    assert pair[SENDER].referral(lost).acknowledged_at is None
    pair[RECIPIENT].say("see", lost)
    pair.settle()
    assert pair[SENDER].referral(lost).acknowledged_at == pair.clock()


def test_a_sender_whose_ledger_was_restored_goes_on_in_order(pair: Bench) -> None:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    backup = pair[SENDER].back_up()
    pair[SENDER].say("answer", referral, text="Synthetic, and lost.")
    pair[RECIPIENT].say("accept", referral)
    pair.settle()
    pair[SENDER].restore(backup)
    pair.announce()
    pair.settle(20)
    pair[SENDER].say("answer", referral, text="Synthetic, and new.")
    pair.settle()
    assert pair[SENDER].status(referral) == pair[RECIPIENT].status(referral) == Status.ACCEPTED
    told = [step for step in pair[RECIPIENT].history(referral) if step.way == "received"]
    assert [step.place for step in told] == [(1, 1), (1, 2), (2, 2)]
    assert {step.state for step in pair[SENDER].history(referral) if step.way == "sent"} == {OutboxState.STORED}


@pytest.mark.parametrize("code", [SENDER, RECIPIENT])
@pytest.mark.parametrize("reason", [ErasureReason.WITHDRAWN, ErasureReason.ENTERED_IN_ERROR])
def test_what_was_erased_after_the_backup_is_erased_before_anything_is_read(
    pair: Bench, code: str, reason: ErasureReason
) -> None:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    backup = pair[code].back_up()
    pair[SENDER].withdraw(referral, reason)
    pair.settle()
    final = pair[code].tombstone(referral)
    pair[code].restore(backup)
    assert pair[code].status(referral) is None
    left = pair[code].tombstone(referral)
    assert left == final
    pair.announce()
    pair.settle(20)
    for each in (SENDER, RECIPIENT):
        kept = pair[each].tombstone(referral)
        assert kept is not None
        assert kept.reason is reason
        assert pair[each].status(referral) is None
    assert pair[code].ledger.path.read_bytes().find(b"Synthetic") == -1


def test_a_peer_tells_a_restored_ledger_of_erasures_that_its_journal_lacks(pair: Bench) -> None:
    """The home's journal was lost with the ledger: the other side still knows."""
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    backup = pair[RECIPIENT].back_up()
    pair[SENDER].withdraw(referral)
    pair.settle()
    (pair[RECIPIENT].rollback_guard.folder / "tombstones.jsonl").unlink()
    pair[RECIPIENT].restore(backup)
    assert pair[RECIPIENT].status(referral) is Status.REQUESTED
    pair.broker.wipe()
    pair.announce()
    pair.clock.move(timedelta(minutes=1))
    pair.settle(20)
    assert pair[RECIPIENT].status(referral) is None
    assert pair[RECIPIENT].tombstone(referral) is not None


def test_the_incarnation_exceeds_every_one_ever_used(pair: Bench) -> None:
    backup = pair[SENDER].back_up()
    for expected in (2, 3, 4):
        pair[SENDER].restore(backup)
        with pair[SENDER].ledger.read() as tx:
            assert own_incarnation(tx) == expected


def test_a_ledger_that_is_behind_what_left_it_is_refused_and_one_that_is_not_is_taken(pair: Bench) -> None:
    backup = pair[SENDER].back_up()
    pair[SENDER].refer(RECIPIENT)
    pair[SENDER].rollback_guard.refuse_if_behind(pair[SENDER].ledger)
    pair.settle()
    pair[SENDER].rollback_guard.refuse_if_behind(pair[SENDER].ledger)
    old = pair[SENDER].reopened_from(backup)
    with pytest.raises(LedgerUnusable) as refused:
        pair[SENDER].rollback_guard.refuse_if_behind(old)
    assert refused.value.reason is Reason.LEDGER_BEHIND
    old.close()


def test_a_ledger_that_is_behind_its_own_announcement_is_refused_from_then_on(pair: Bench) -> None:
    rollback_guard, ledger = pair[SENDER].rollback_guard, pair[SENDER].ledger
    rollback_guard.heard(ledger, HighWater(1, 0))
    with pytest.raises(LedgerUnusable):
        rollback_guard.heard(ledger, HighWater(2, 5))
    with pytest.raises(LedgerUnusable):
        rollback_guard.refuse_if_behind(ledger)


def test_a_cursor_of_the_ledger_that_was_lost_passes_over_nothing_that_came_later(pair: Bench) -> None:
    """What the agency itself writes takes numbers, too."""
    station = pair[RECIPIENT]
    backup = station.back_up()
    for _ in range(5):
        station.refer(SENDER)
    pair[SENDER].refer(RECIPIENT)
    pair.settle()
    with station.ledger.read() as tx:
        cursor = handovers.newest(tx)
    station.restore(backup)
    pair.announce()
    later = pair[SENDER].refer(RECIPIENT)
    pair.settle(20)
    with station.ledger.read() as tx:
        assert cursor <= handovers.highest_cursor(tx)
        assert later in {received.referral.referral_id for received in handovers.after_cursor(tx, cursor, 100)}


def test_what_was_sent_in_vain_goes_at_once_to_a_recipient_that_comes_back_restored(pair: Bench) -> None:
    backup = pair[RECIPIENT].back_up()
    referral = pair[SENDER].refer(RECIPIENT)
    for _ in range(10):
        pair[SENDER].send()
        pair[SENDER].send()
        pair.broker.wipe()
        pair.clock.move(timedelta(days=1))
    pair[RECIPIENT].restore(backup)
    pair[RECIPIENT].announce()
    pair[RECIPIENT].send()
    pair[SENDER].read()
    pair.settle()
    assert pair[RECIPIENT].status(referral) == Status.REQUESTED


def test_what_the_lost_ledger_had_passed_over_is_read_again(pair: Bench) -> None:
    """A record that our software had failed on, for one: its sender would send it again only after a pause."""
    referral = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    station = pair[RECIPIENT]
    inbox = pair.broker.topics([pair.register.inbox(RECIPIENT) or ""])[pair.register.inbox(RECIPIENT) or ""]
    with station.ledger.write() as tx:
        received_events.read_up_to(tx, [Position(inbox.name, inbox.topic_id, 0, pair.broker.ends(inbox)[0])])
    backup = station.back_up()
    station.restore(backup)
    station.read()
    assert station.status(referral) == Status.REQUESTED
