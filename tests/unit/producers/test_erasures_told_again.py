"""An erasure is told until the other side's own system has confirmed it: whatever is lost, or wished late."""

import hashlib
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from consumers.agency.dead_letters import DueAgain, retry
from deploy.app.views.erasure_views import erasure_sentence
from referral_bus.ledger import dead_letter_lists, handovers, tables, tombstones
from referral_bus.ledger.dead_letter_lists import Choice
from referral_bus.ledger.handovers import Retries
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.retention import Retention, retain
from referral_bus.ledger.tombstones import Unconfirmed
from referral_bus.settings import Settings
from schemas.events import ReferralKey
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_word, an_announcement, event_record, signed
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.topics import events

KEEP = Retention()
LIMIT = timedelta(hours=72)
LONG = max(KEEP.ended, KEEP.erased) + timedelta(seconds=1)


def _unconfirmed(pair: Bench, code: str) -> Unconfirmed:
    with pair[code].ledger.read() as tx:
        return tombstones.unconfirmed(tx, pair.clock() - LIMIT)


def _retain(pair: Bench, *codes: str) -> None:
    for code in codes:
        retain(pair[code].ledger, KEEP, pair[code].writing())


def _not_handed_over(pair: Bench, code: str) -> list[int]:
    done_at = tables.handovers.c.done_at
    with pair[code].ledger.read() as tx:
        return list(tx.connection.execute(sa.select(tables.handovers.c.number).where(done_at.is_(None))).scalars())


def _pass(pair: Bench, span: timedelta) -> None:
    pair.clock.move(span)
    pair.announce()
    pair.settle(20)


def _referred(pair: Bench) -> UUID:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].pull()
    return referral


def _ended(pair: Bench) -> UUID:
    referral = _referred(pair)
    pair[RECIPIENT].say("reject", referral, outcome_reason="no-capacity")
    pair.settle()
    pair[SENDER].pull()
    return referral


def _confirmed(pair: Bench, code: str, referral: UUID) -> bool:
    left = pair[code].tombstone(referral)
    return left is not None and left.peer_confirmed_at is not None


def _lose_all(pair: Bench, code: str) -> None:
    """As after a new start: nothing of it is known."""
    with pair[code].ledger.write() as tx:
        for table in (tables.referrals, tables.events, tables.outbox, tables.places, tables.tombstones):
            tx.connection.execute(sa.delete(table))


# kept until our own system has taken it


def test_the_word_waits_for_an_own_system_that_is_away_for_longer_than_anything_is_kept(pair: Bench) -> None:
    referral = _referred(pair)
    pair[SENDER].withdraw(referral)
    pair.settle()
    _pass(pair, LONG)
    _retain(pair, SENDER, RECIPIENT)
    assert _unconfirmed(pair, SENDER) == _unconfirmed(pair, RECIPIENT) == Unconfirmed(1, 1)
    pair[RECIPIENT].pull()
    pair.settle()
    assert _confirmed(pair, SENDER, referral)


def test_a_wish_about_what_was_erased_long_ago_reaches_the_own_system(pair: Bench) -> None:
    referral = _ended(pair)
    for _ in range(2):
        _pass(pair, LONG)
        _retain(pair, RECIPIENT, SENDER)
    pair[SENDER].withdraw(referral)
    pair.settle()
    assert _unconfirmed(pair, SENDER) == Unconfirmed(1, 0), "it is not overdue from its first second"
    _pass(pair, timedelta(minutes=10))
    _retain(pair, RECIPIENT, SENDER)
    pair[RECIPIENT].pull()
    pair.settle()
    assert _confirmed(pair, SENDER, referral)
    for _ in range(2):
        _pass(pair, LONG)
        _retain(pair, RECIPIENT, SENDER)
    with pair[RECIPIENT].ledger.read() as tx:
        assert tx.connection.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar_one() == 0


def test_an_erasure_that_our_own_system_has_failed_on_can_be_retried_after_any_time(pair: Bench) -> None:
    referral = _referred(pair)
    pair[SENDER].withdraw(referral)
    pair.settle()
    [number] = _not_handed_over(pair, RECIPIENT)
    with pair[RECIPIENT].ledger.write() as tx:
        assert handovers.failed(tx, number, Retries(1, timedelta(seconds=1)), pair.clock())
    _pass(pair, LONG)
    _retain(pair, RECIPIENT)
    with pair[RECIPIENT].ledger.read() as tx:
        letters = dead_letter_lists.chosen(tx, Choice(), 10)
    assert [done.result for done in retry(pair[RECIPIENT].ledger, letters, pair[RECIPIENT].surroundings(), "test")] == [
        DueAgain()
    ]
    pair[RECIPIENT].pull()
    pair.settle()
    assert _confirmed(pair, SENDER, referral)


def test_no_dead_letter_outlives_what_it_is_about(pair: Bench) -> None:
    referral = _referred(pair)
    pair[SENDER].withdraw(referral)
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    with pair[SENDER].ledger.write() as tx:
        for number in _not_handed_over(pair, SENDER):  # words about what the sender itself has erased
            handovers.failed(tx, number, Retries(1, timedelta(seconds=1)), pair.clock())
    _pass(pair, LONG)
    _retain(pair, SENDER)
    with pair[SENDER].ledger.read() as tx:
        assert dead_letter_lists.chosen(tx, Choice(), 10) == []


def test_a_wish_about_what_the_other_side_has_erased_already_is_answered_all_the_same(pair: Bench) -> None:
    referral = _ended(pair)
    _pass(pair, LONG)
    _retain(pair, RECIPIENT)
    pair[SENDER].withdraw(referral)
    pair.settle()
    left = pair[SENDER].tombstone(referral)
    assert left is not None
    assert (left.peer_erased_at, left.peer_confirmed_at) == (pair.clock(), None)


def test_what_was_withdrawn_on_its_way_stays_erased_whatever_a_late_receipt_says(pair: Bench) -> None:
    referral = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    digest = hashlib.sha256(events(pair, RECIPIENT)[-1]).digest()
    pair[SENDER].withdraw(referral)
    pair[SENDER].take(a_receipt(pair, RECIPIENT, SENDER, digest))
    assert pair[SENDER].history(referral)[0].state == OutboxState.ERASED


# lost with a ledger, and said again


def test_a_wish_that_was_lost_with_its_ledger_is_told_although_the_backup_has_a_tombstone(pair: Bench) -> None:
    referral = _ended(pair)
    _pass(pair, LONG)
    _retain(pair, SENDER)  # the recipient keeps it for longer
    backup = pair[SENDER].back_up()
    pair[SENDER].withdraw(referral)
    pair[SENDER].rollback_guard.keep_up(pair[SENDER].ledger)  # and now the person is told that it is erased
    pair[SENDER].restore(backup)
    _pass(pair, timedelta(minutes=1))
    assert pair[RECIPIENT].status(referral) is None
    pair[RECIPIENT].pull()
    pair.settle()
    assert _confirmed(pair, SENDER, referral)


def test_a_confirmation_that_was_lost_with_its_ledger_is_said_again(pair: Bench) -> None:
    referral = _referred(pair)
    pair[SENDER].withdraw(referral)
    pair.settle()
    backup = pair[RECIPIENT].back_up()
    pair[RECIPIENT].pull()
    pair[RECIPIENT].send()
    pair.broker.wipe()  # with the word that it is confirmed
    pair[RECIPIENT].restore(backup)
    _pass(pair, timedelta(minutes=1))
    assert _confirmed(pair, SENDER, referral)


def test_a_late_word_of_a_restored_recipient_about_what_our_retention_has_erased_has_it_erased_there(
    pair: Bench,
) -> None:
    """It was heard to be restored, and had been told all that was erased then, before our retention came to this."""
    key = ReferralKey(SENDER, _ended(pair))
    pair[SENDER].take(signed(pair, an_announcement(pair, RECIPIENT, incarnation=2, counter=1)))
    pair.settle(20)
    late = event_record(pair, a_word(pair, key, RECIPIENT, SENDER, (2, 1), status="rejected"))
    pair.clock.move(LONG)
    _retain(pair, SENDER)
    pair[SENDER].take(late)
    [told] = [step for step in pair[SENDER].history(key.referral_id) if step.record == "ErasureEvent"]
    assert (told.way, told.state) == ("sent", OutboxState.NEW)


# confirmed only by those who were asked


def test_the_recipients_last_word_is_no_wish_that_our_own_system_could_confirm(pair: Bench) -> None:
    referral = _ended(pair)
    with pair[RECIPIENT].ledger.write() as tx:  # as if its last word had no receipt
        tx.connection.execute(sa.update(tables.outbox).values(state="sent"))
    pair.clock.move(LONG)
    _retain(pair, SENDER, RECIPIENT)
    _pass(pair, timedelta(0))
    pair[SENDER].pull()
    pair[RECIPIENT].withdraw(referral)
    pair.settle(20)
    assert not _confirmed(pair, RECIPIENT, referral), "the sender's own system has not been asked yet"
    pair[SENDER].pull()
    pair.settle(20)
    assert _confirmed(pair, RECIPIENT, referral)


def test_nobody_chases_an_agency_that_has_no_such_referral(pair: Bench) -> None:
    referral = _referred(pair)
    _lose_all(pair, SENDER)
    pair[RECIPIENT].withdraw(referral)
    pair.settle()
    assert _unconfirmed(pair, RECIPIENT) == Unconfirmed(0, 0)
    left = pair[RECIPIENT].tombstone(referral)
    assert left is not None
    settings = Settings(agency=RECIPIENT, federation="bench", kafka="127.0.0.1:9092")
    assert erasure_sentence(left, pair.clock(), settings, {SENDER, RECIPIENT}).endswith(
        f"{SENDER} has no such referral; nothing is left to do."
    )
    _pass(pair, LONG)
    _retain(pair, RECIPIENT)
    assert _unconfirmed(pair, RECIPIENT) == Unconfirmed(0, 0)


def test_our_own_system_is_waited_for_whatever_the_other_side_knows(pair: Bench) -> None:
    referral = _referred(pair)
    pair[SENDER].withdraw(referral)
    pair[SENDER].send()
    pair[RECIPIENT].read()
    _lose_all(pair, SENDER)
    pair.settle()
    assert _unconfirmed(pair, RECIPIENT) == Unconfirmed(1, 0)


def test_an_agency_that_had_no_such_referral_and_has_it_again_is_chased(pair: Bench) -> None:
    referral = _referred(pair)
    backup = pair[SENDER].back_up()
    _lose_all(pair, SENDER)
    pair[RECIPIENT].withdraw(referral)
    pair.settle()
    assert _unconfirmed(pair, RECIPIENT).count == 0
    pair[SENDER].restore(backup)
    _pass(pair, timedelta(minutes=1))
    assert _unconfirmed(pair, RECIPIENT).count == 1
    assert pair[SENDER].status(referral) is None
