"""How long what is kept: each side by its own time, in small steps, and a tombstone stays."""

from datetime import timedelta
from uuid import UUID

import pytest

from consumers.agency.maintenance import Keeper
from referral_bus.broker.protocols import Delivery
from referral_bus.ledger import tables
from referral_bus.ledger.retention import STEP, Retention, retain
from referral_bus.logs import make_log
from schemas.lifecycle import ErasureReason, Status
from schemas.outcomes import Outcome
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER, request_document

KEEP = Retention()


def _retain(pair: Bench, code: str) -> int:
    return retain(pair[code].ledger, KEEP, pair[code].writing())


def _ended(pair: Bench) -> UUID:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].say("reject", referral, outcome_reason="no-capacity")
    return referral


def _rows(pair: Bench, code: str) -> dict[str, int]:
    with pair[code].ledger.read() as tx:
        names = ("events", "outbox", "sent_values", "handovers", "referrals", "tombstones")
        count = "SELECT count(*) FROM "
        return {name: tx.connection.exec_driver_sql(count + name).scalar_one() for name in names}


def test_the_personal_part_of_an_ended_referral_goes_after_its_time_and_no_sooner(pair: Bench) -> None:
    referral = _ended(pair)
    pair.settle()
    pair.clock.move(KEEP.ended)
    assert _retain(pair, SENDER) == _retain(pair, RECIPIENT) == 0
    pair.clock.move(timedelta(seconds=1))
    assert _retain(pair, SENDER) == _retain(pair, RECIPIENT) == 1
    for code in (SENDER, RECIPIENT):
        left = pair[code].tombstone(referral)
        assert left is not None
        assert (left.status, left.reason) == (Status.REJECTED, ErasureReason.RETENTION)


def test_the_recipients_last_word_reaches_a_sender_that_was_away(pair: Bench) -> None:
    referral = _ended(pair)
    pair.broker.go_down()
    pair.clock.move(KEEP.ended + timedelta(seconds=1))
    _retain(pair, RECIPIENT)
    pair.broker.come_up()
    pair.announce()
    assert pair[SENDER].status(referral) is Status.REJECTED
    assert pair[RECIPIENT].tombstone(referral) is not None
    assert pair[SENDER].tombstone(referral) is None, "each side erases by its own time"


def test_a_restored_recipient_that_has_forgotten_what_the_sender_erased_is_asked_to_erase_too(pair: Bench) -> None:
    referral = _ended(pair)
    backup = pair[RECIPIENT].back_up()
    pair.settle()
    pair.clock.move(KEEP.ended + timedelta(seconds=1))
    _retain(pair, SENDER)
    pair[RECIPIENT].restore(backup)
    pair.announce()
    pair.settle(20)
    left = pair[RECIPIENT].tombstone(referral)
    assert left is not None
    assert left.status is Status.REJECTED
    assert pair[RECIPIENT].status(referral) is None


def test_an_open_referral_outlives_its_consent_by_the_grace_only(pair: Bench) -> None:
    body = request_document(RECIPIENT)["body"]
    body["consent"]["expires_at"] = (pair.clock() + timedelta(days=10)).isoformat()
    referral = pair[SENDER].refer(RECIPIENT, body=body)
    pair.settle()
    pair.clock.move(timedelta(days=10) + KEEP.consent_grace)
    pair.announce()
    assert _retain(pair, SENDER) == _retain(pair, RECIPIENT) == 0
    pair.clock.move(timedelta(seconds=1))
    for code in (SENDER, RECIPIENT):
        _retain(pair, code)
    pair.settle(20)
    for code in (SENDER, RECIPIENT):
        left = pair[code].tombstone(referral)
        assert left is not None
        assert (left.status, left.reason) == (Status.CANCELLED, ErasureReason.WITHDRAWN)


def test_after_its_time_only_the_tombstone_and_the_places_are_left(pair: Bench) -> None:
    referral = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    late = pair.broker.log(*_inbox(pair), 0)
    assert late is not None
    copy = late[-1]
    pair[SENDER].withdraw(referral)
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    pair.clock.move(KEEP.erased + timedelta(seconds=1))
    for code in (SENDER, RECIPIENT):
        _retain(pair, code)
        assert _rows(pair, code) == {
            "events": 0, "outbox": 0, "sent_values": 0, "handovers": 0, "referrals": 0, "tombstones": 1,
        }  # fmt: skip
    assert isinstance(copy, Delivery)
    pair[RECIPIENT].take(copy.record)
    assert [item.outcome for item in pair[RECIPIENT].owed(SENDER)] == [Outcome.ERASED]


def _inbox(pair: Bench) -> tuple[str, str]:
    name = pair.register.inbox(RECIPIENT) or ""
    return name, pair.broker.topics([name])[name].topic_id


def test_what_is_recorded_about_it_later_goes_as_well(pair: Bench) -> None:
    pair[SENDER].withdraw(pair[SENDER].refer(RECIPIENT))
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    copies = [each.record for each in pair.broker.log(*_inbox(pair), 0) or () if isinstance(each, Delivery)]
    pair.clock.move(KEEP.erased + timedelta(seconds=1))
    _retain(pair, RECIPIENT)
    assert _rows(pair, RECIPIENT)["events"] == 0
    pair[RECIPIENT].take(*copies)
    pair[RECIPIENT].pull()
    pair.settle()
    assert _rows(pair, RECIPIENT)["events"] > 0
    assert _retain(pair, RECIPIENT) == 1
    assert _rows(pair, RECIPIENT)["events"] == _retain(pair, RECIPIENT) == 0


@pytest.mark.parametrize("many", [2 * STEP + 1])
def test_it_works_in_small_steps_until_nothing_is_left(pair: Bench, many: int) -> None:
    for _ in range(many):
        referral = pair[SENDER].refer(RECIPIENT)
        pair[SENDER].withdraw(referral)
    pair[SENDER].refer(RECIPIENT)
    with pair[SENDER].ledger.write() as tx:
        tx.connection.execute(tables.outbox.update().values(state="stored", next_send_at=None))
    pair.clock.move(KEEP.erased + timedelta(days=1))
    steps = [_retain(pair, SENDER) for _ in range(4)]
    assert steps == [STEP, STEP, 1, 0]


def test_a_clock_that_runs_months_ahead_erases_nothing(pair: Bench) -> None:
    """Consent of an open referral, and the time of an ended one, are over only if somebody else says so, too."""
    open_one, ended = pair[SENDER].refer(RECIPIENT), _ended(pair)
    pair.settle()
    station = pair[SENDER]
    keeper = Keeper(station.ledger, KEEP, station.writing, make_log(pair.log_lines), lambda: 1)
    pair.clock.move(timedelta(days=91))
    assert keeper.retain() == 0
    assert station.status(open_one) is Status.REQUESTED
    assert station.status(ended) is Status.REJECTED
    pair[RECIPIENT].announce()
    pair.settle()
    assert keeper.retain() == 1
    assert station.tombstone(ended) is not None


def test_that_too_few_agencies_confirm_the_time_is_said_once_a_day(pair: Bench) -> None:
    """It needs two others, and has heard one."""
    station = pair[SENDER]
    keeper = Keeper(station.ledger, KEEP, station.writing, make_log(pair.log_lines), lambda: 2)
    assert [keeper.retain(), keeper.retain()] == [0, 0]
    assert pair.log_lines.text.count("time_unconfirmed") == 1
