"""The rules for an ErasureEvent, one by one, with events that an agency's software could write."""

import hashlib
from datetime import timedelta

import pytest

from consumers.agency.verdicts import Again, NotTaken, TakenIn
from referral_bus.ledger import dead_letter_lists, peers, restored_peers, tombstones
from referral_bus.ledger.dead_letters import DeadLetterState
from schemas.events import ErasureEvent, Place, ReferralKey
from schemas.lifecycle import Status
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, an_erasure, event_record, signed, signed_bytes
from tests.kit.people import RECIPIENT, SENDER, THIRD


def _stored(trio: Bench) -> ReferralKey:
    referral = a_referral(trio, SENDER, RECIPIENT)
    trio[RECIPIENT].take(event_record(trio, referral))
    return referral.referral


def _outcomes(trio: Bench, of: str = RECIPIENT, to: str = SENDER) -> list[tuple[str, str | None]]:
    return [(item.outcome, item.code) for item in trio[of].owed(to)]


def test_it_is_known_again_and_has_one_effect(trio: Bench) -> None:
    key = _stored(trio)
    erasure = an_erasure(trio, key, SENDER, RECIPIENT, (1, 2))
    verdicts = trio[RECIPIENT].take(signed(trio, erasure), signed(trio, erasure))
    assert verdicts == [TakenIn(ErasureEvent.record), Again(ErasureEvent.record)]
    answers = [step for step in trio[RECIPIENT].history(key.referral_id) if step.way == "sent"]
    assert len(answers) == 1


def test_its_incarnation_is_heard(trio: Bench) -> None:
    key = _stored(trio)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (2, 1))))
    with trio[RECIPIENT].ledger.read() as tx:
        assert peers.all_peers(tx)[SENDER].incarnation == 2
        assert restored_peers.waiting(tx, trio.clock())


def test_about_a_referral_that_is_not_known_only_its_sender_is_believed(trio: Bench) -> None:
    ours = ReferralKey(RECIPIENT, a_referral(trio, SENDER, RECIPIENT).referral_id)
    stranger = an_erasure(trio, ours, SENDER, RECIPIENT, (1, 2), status="cancelled")
    assert trio[RECIPIENT].take(signed(trio, stranger)) == [
        NotTaken(ErasureEvent.record, Code.REFERRAL_UNKNOWN, owed=True)
    ]
    assert trio[RECIPIENT].tombstone(ours.referral_id) is None
    theirs = ReferralKey(SENDER, ours.referral_id)
    assert trio[RECIPIENT].take(signed(trio, an_erasure(trio, theirs, SENDER, RECIPIENT, (1, 2)))) == [
        TakenIn(ErasureEvent.record)
    ]
    assert trio[RECIPIENT].tombstone(theirs.referral_id) is not None


def test_a_third_agency_erases_nothing(trio: Bench) -> None:
    key = _stored(trio)
    foreign = an_erasure(trio, key, THIRD, RECIPIENT, (1, 2), status="cancelled")
    assert trio[RECIPIENT].take(signed(trio, foreign)) == [
        NotTaken(ErasureEvent.record, Code.REFERRAL_UNKNOWN, owed=True)
    ]
    assert trio[RECIPIENT].status(key.referral_id) is Status.REQUESTED
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 2))))
    again = an_erasure(trio, key, THIRD, RECIPIENT, (1, 3), status="completed")
    assert trio[RECIPIENT].take(signed(trio, again)) == [
        NotTaken(ErasureEvent.record, Code.REFERRAL_UNKNOWN, owed=True)
    ]
    left = trio[RECIPIENT].tombstone(key.referral_id)
    assert left is not None
    assert left.status is Status.CANCELLED


@pytest.mark.parametrize("status", ["cancelled", "accepted"])
def test_a_sender_that_gives_a_status_is_refused(trio: Bench, status: str) -> None:
    key = _stored(trio)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 2), status=status)))
    assert _outcomes(trio)[-1] == (Outcome.REFUSED, Code.VALUE_REFUSED)
    assert trio[RECIPIENT].status(key.referral_id) is Status.REQUESTED


@pytest.mark.parametrize("status", [None, "accepted"])
def test_a_recipient_that_gives_no_final_status_is_refused(trio: Bench, status: str | None) -> None:
    key = _stored(trio)
    trio[SENDER].take(signed(trio, an_erasure(trio, key, RECIPIENT, SENDER, (1, 1), status=status)))
    assert _outcomes(trio, SENDER, RECIPIENT)[-1] == (Outcome.REFUSED, Code.VALUE_REFUSED)


def test_an_unknown_reason_waits_for_newer_software(trio: Bench) -> None:
    key = _stored(trio)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 2), reason="brand-new")))
    assert _outcomes(trio)[-1] == (Outcome.HELD, Code.CODE_UNKNOWN)
    assert trio[RECIPIENT].status(key.referral_id) is Status.REQUESTED


def test_it_overtakes_a_gap_and_what_fills_the_gap_is_not_opened(trio: Bench) -> None:
    key = _stored(trio)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 9))))
    assert trio[RECIPIENT].tombstone(key.referral_id) is not None
    late = event_record(trio, a_word(trio, key, SENDER, RECIPIENT, (1, 2)))
    assert trio[RECIPIENT].take(late) == [Again("StatusEvent")]
    assert _outcomes(trio)[-1] == (Outcome.ERASED, None)


def test_an_answer_to_a_tombstone_that_was_lost_makes_it_anew_and_is_answered(trio: Bench) -> None:
    key = _stored(trio)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 2), kind="erased")))
    assert trio[RECIPIENT].tombstone(key.referral_id) is not None
    assert [step.record for step in trio[RECIPIENT].history(key.referral_id)].count(ErasureEvent.record) == 2
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 3), kind="confirmed")))
    sent = [step for step in trio[RECIPIENT].history(key.referral_id) if step.way == "sent"]
    assert len(sent) == 1, "two services would else answer each other for ever"


def test_the_recipients_final_status_is_taken_only_if_its_place_is_above_the_last(trio: Bench) -> None:
    referral = trio[SENDER].refer(RECIPIENT)
    key = trio[SENDER].key(referral)
    trio[SENDER].take(
        event_record(trio, a_word(trio, key, RECIPIENT, SENDER, (2, 1), "accepted", (0, 0))),
        signed(trio, an_erasure(trio, key, RECIPIENT, SENDER, (1, 7), status="completed")),
    )
    old = trio[SENDER].tombstone(referral)
    assert old is not None
    assert old.status is not Status.COMPLETED, "said before the recipient's ledger was restored"
    trio[SENDER].take(signed(trio, an_erasure(trio, key, RECIPIENT, SENDER, (2, 3), status="failed")))
    newer = trio[SENDER].tombstone(referral)
    assert newer is not None
    assert (newer.status, newer.status_place) == (Status.FAILED, Place(2, 3))
    trio[SENDER].take(signed(trio, an_erasure(trio, key, RECIPIENT, SENDER, (2, 2), status="cancelled")))
    assert trio[SENDER].tombstone(referral) == newer


def test_the_recipients_retention_sets_the_status_ends_its_words_and_erases_nothing_here(trio: Bench) -> None:
    referral = trio[SENDER].refer(RECIPIENT)
    key = trio[SENDER].key(referral)
    ending = an_erasure(trio, key, RECIPIENT, SENDER, (1, 4), status="completed", reason="retention")
    trio[SENDER].take(signed(trio, ending))
    assert trio[SENDER].status(referral) is Status.COMPLETED
    assert trio[SENDER].tombstone(referral) is None
    assert [step.record for step in trio[SENDER].history(referral) if step.way == "sent"] == ["ReferralEvent"]
    trio[SENDER].take(event_record(trio, a_word(trio, key, RECIPIENT, SENDER, (1, 1), "accepted", (0, 0))))
    assert _outcomes(trio, SENDER, RECIPIENT)[-1] == (Outcome.ERASED, None)
    assert trio[SENDER].status(referral) is Status.COMPLETED


def test_the_senders_retention_asks_a_recipient_that_has_forgotten_it_to_erase_too(trio: Bench) -> None:
    key = _stored(trio)
    requested = an_erasure(trio, key, SENDER, RECIPIENT, (1, 2), reason="retention")
    trio[RECIPIENT].take(signed(trio, requested))
    left = trio[RECIPIENT].tombstone(key.referral_id)
    assert left is not None
    assert left.status is Status.CANCELLED
    assert [step.record for step in trio[RECIPIENT].history(key.referral_id)].count(ErasureEvent.record) == 2


def test_a_withdrawal_of_what_retention_has_erased_becomes_its_reason(trio: Bench) -> None:
    key = _stored(trio)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 2), reason="retention")))
    with trio[RECIPIENT].ledger.read() as tx:
        assert tombstones.unconfirmed(tx, trio.clock()).count == 0
    trio.clock.move(timedelta(days=1))
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 3))))
    left = trio[RECIPIENT].tombstone(key.referral_id)
    assert left is not None
    assert left.needs_confirmation
    with trio[RECIPIENT].ledger.read() as tx:
        assert tombstones.unconfirmed(tx, trio.clock()).count == 1


def test_a_held_event_of_an_erased_referral_is_kept_no_longer(trio: Bench) -> None:
    key = _stored(trio)
    newer = a_word(trio, key, SENDER, RECIPIENT, (1, 2), register_version=99)
    trio[RECIPIENT].take(event_record(trio, newer))
    assert _outcomes(trio)[-1] == (Outcome.HELD, Code.REGISTER_NEWER)
    trio[RECIPIENT].take(signed(trio, an_erasure(trio, key, SENDER, RECIPIENT, (1, 3))))
    trio[RECIPIENT].ingest.judge_held()
    assert trio[RECIPIENT].take(event_record(trio, newer)) == [Again("StatusEvent")]
    assert _outcomes(trio)[-1] == (Outcome.ERASED, None)


NEWER_SCHEMA = b"\xc3\x01" + b"schema-9" + b"newer, and sealed"


def _kept(trio: Bench, of: str) -> list[DeadLetterState]:
    with trio[of].ledger.read() as tx:
        return [letter.state for letter in dead_letter_lists.chosen(tx, dead_letter_lists.Choice(), 10)]


@pytest.mark.parametrize(("of", "other"), [(RECIPIENT, SENDER), (SENDER, RECIPIENT)])
@pytest.mark.parametrize("late", [NEWER_SCHEMA, b"garbage"], ids=["a newer schema", "malformed"])
def test_of_an_erased_referral_not_even_what_cannot_be_decoded_is_kept(
    trio: Bench, of: str, other: str, late: bytes
) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    key = trio[SENDER].key(referral_id)
    trio[SENDER].withdraw(referral_id)
    trio.settle()
    raw = signed_bytes(trio, late, a_word(trio, key, other, of, (1, 9)))
    assert trio[of].take(raw) == [Again("unknown")]
    [item] = trio[of].owed(other)
    assert (item.outcome, item.event_id) == (Outcome.ERASED, None)
    assert item.value_sha256 == hashlib.sha256(raw.value).digest()
    assert _kept(trio, of) == []


@pytest.mark.parametrize("of", [SENDER, RECIPIENT])
def test_what_cannot_be_decoded_from_an_agency_that_is_no_party_is_held_whatever_its_key_names(
    trio: Bench, of: str
) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    key = trio[SENDER].key(referral_id)
    trio[SENDER].withdraw(referral_id)
    trio.settle()
    trio[of].take(signed_bytes(trio, NEWER_SCHEMA, a_word(trio, key, THIRD, of, (1, 1))))
    assert _outcomes(trio, of, THIRD) == [(Outcome.HELD, Code.SCHEMA_UNKNOWN)]
    assert _kept(trio, of) == [DeadLetterState.HELD]
