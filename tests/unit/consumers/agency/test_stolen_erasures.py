"""What a stolen key has said of an erasure, or of the end of an agency's words, falls with the key."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from deploy.app.views.erasure_views import erasure_sentence
from referral_bus.ledger import tables, tombstones
from referral_bus.ledger.retention import Retention, retain
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.settings import Settings
from schemas.events import HIGHEST_INCARNATION, Place, ReferralKey
from schemas.lifecycle import Status
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_word, an_erasure, event_record, signed
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.registers import changed
from tests.kit.stolen import renew_key, revoke_stolen_key

SETTINGS = Settings(agency=SENDER, federation="bench", kafka="127.0.0.1:9092")
HIGHEST = (HIGHEST_INCARNATION, 2**53 - 1)


def _accepted(trio: Bench) -> UUID:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio[RECIPIENT].say("accept", referral_id)
    trio.settle()
    return referral_id


def _withdrawn(trio: Bench) -> UUID:
    """Of which the recipient has not heard yet."""
    referral_id = _accepted(trio)
    trio[SENDER].withdraw(referral_id)
    return referral_id


def _thief_says(trio: Bench, referral_id: UUID, place: tuple[int, int] = HIGHEST, **said: object) -> None:
    """About an erasure, to the sender, under the recipient's key."""
    word = an_erasure(
        trio, ReferralKey(SENDER, referral_id), RECIPIENT, SENDER, place, **({"status": "completed"} | said)
    )
    trio[SENDER].take(signed(trio, word))


def _settle(trio: Bench) -> None:
    for _ in range(3):
        trio.announce()
        trio.clock.move(timedelta(minutes=2))
        trio.settle(30)


def _left(trio: Bench, referral_id: UUID) -> Tombstone:
    left = trio[SENDER].tombstone(referral_id)
    assert left is not None
    return left


def _unconfirmed(trio: Bench) -> int:
    with trio[SENDER].ledger.read() as tx:
        return tombstones.unconfirmed(tx, trio.clock()).count


# the recipient's retention


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("renewed", [False, True], ids=["one key", "its words stand under an earlier key"])
def test_a_recipient_whose_words_a_thief_has_ended_is_heard_again(trio: Bench, drop: bool, renewed: bool) -> None:
    referral_id = _accepted(trio)
    if renewed:
        renew_key(trio, RECIPIENT)
    _thief_says(trio, referral_id, reason="retention")
    key = ReferralKey(SENDER, referral_id)
    trio[SENDER].take(event_record(trio, a_word(trio, key, RECIPIENT, SENDER, (1, 2), "in-progress")))
    assert trio[SENDER].owed(RECIPIENT)[-1].outcome == Outcome.ERASED
    assert trio[SENDER].status(referral_id) == "completed"
    revoke_stolen_key(trio, RECIPIENT, drop=drop)
    trio[RECIPIENT].say("start", referral_id)
    _settle(trio)
    assert trio[SENDER].status(referral_id) == "in-progress"
    assert trio[SENDER].referral(referral_id).peer_forgot_at is None
    later = a_word(trio, key, RECIPIENT, SENDER, (1, 3), "accepted")
    trio[SENDER].take(event_record(trio, later))
    assert trio[SENDER].status(referral_id) == "in-progress", "only the first word sets the status unchecked"


def test_its_own_retention_ends_its_words_whatever_a_thief_has_said_before(trio: Bench) -> None:
    referral_id = _accepted(trio)
    _thief_says(trio, referral_id, reason="retention")
    revoke_stolen_key(trio, RECIPIENT)
    key = ReferralKey(SENDER, referral_id)
    ending = an_erasure(trio, key, RECIPIENT, SENDER, (1, 3), status="failed", reason="retention")
    trio[SENDER].take(
        signed(trio, ending), event_record(trio, a_word(trio, key, RECIPIENT, SENDER, (1, 2), "accepted"))
    )
    assert trio[SENDER].status(referral_id) == "failed"
    assert trio[SENDER].owed(RECIPIENT)[-1].outcome == Outcome.ERASED


# that it is erased, confirmed, or not there


@pytest.mark.parametrize("drop", [False, True])
def test_an_erasure_that_only_a_thief_has_confirmed_waits_and_is_confirmed_by_the_agency_itself(
    trio: Bench, drop: bool
) -> None:
    referral_id = _withdrawn(trio)
    _thief_says(trio, referral_id, kind="confirmed")
    assert _unconfirmed(trio) == 0
    revoke_stolen_key(trio, RECIPIENT, drop=drop)
    trio[SENDER].send()
    left = _left(trio, referral_id)
    assert (left.peer_erased_at, left.peer_confirmed_at, _unconfirmed(trio)) == (None, None, 1)
    assert "has not erased it yet" in erasure_sentence(left, trio.clock(), SETTINGS, {RECIPIENT})
    _settle(trio)
    trio[RECIPIENT].pull()
    _settle(trio)
    assert _left(trio, referral_id).peer_confirmed_at is not None
    assert _unconfirmed(trio) == 0


def test_an_erasure_that_a_thief_has_refused_waits_for_the_agency_again(trio: Bench) -> None:
    referral_id = _withdrawn(trio)
    trio[SENDER].send()
    out = tables.outbox.c
    with trio[SENDER].ledger.read() as tx:
        value = tx.connection.execute(sa.select(out.value).where(out.erasure)).scalar_one()
    digest = hashlib.sha256(value).digest()
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, Outcome.REFUSED, code=Code.REFERRAL_UNKNOWN))
    assert _left(trio, referral_id).peer_refused_at is not None
    assert _unconfirmed(trio) == 0
    revoke_stolen_key(trio, RECIPIENT)
    trio[SENDER].send()
    assert _unconfirmed(trio) == 1


def test_an_agency_confirms_anew_what_it_has_confirmed_under_the_stolen_key(trio: Bench) -> None:
    """Without a restore, and without its own system."""
    referral_id = _withdrawn(trio)
    trio.settle()
    trio[RECIPIENT].pull()
    trio.settle()
    before = _left(trio, referral_id)
    assert before.peer_confirmed_at is not None
    revoke_stolen_key(trio, RECIPIENT)
    trio[SENDER].send()
    assert _unconfirmed(trio) == 1
    _settle(trio)
    after = _left(trio, referral_id)
    assert after.peer_confirmed_at is not None
    assert after.peer_confirmed_key_id != before.peer_confirmed_key_id
    assert _unconfirmed(trio) == 0


def test_what_was_confirmed_under_a_key_whose_validity_has_merely_ended_stays_confirmed(trio: Bench) -> None:
    referral_id = _withdrawn(trio)
    _thief_says(trio, referral_id, kind="confirmed")
    renew_key(trio, RECIPIENT)
    agencies = tuple(
        each.model_copy(
            update={
                "signing_keys": (
                    each.signing_keys[0].model_copy(update={"valid_until": trio.clock()}),
                    *each.signing_keys[1:],
                )
            }
        )
        for each in trio.register.content.agencies
    )
    trio.register = changed(trio.register, agencies=agencies, version=trio.register.version + 1)
    trio[SENDER].send()
    assert _left(trio, referral_id).peer_confirmed_at is not None


def test_no_restore_brings_back_what_a_thief_has_confirmed(trio: Bench) -> None:
    """Neither by the journal, nor by a backup beside a journal that knows more by now."""
    referral_id = _withdrawn(trio)
    _thief_says(trio, referral_id, kind="confirmed")
    trio[SENDER].rollback_guard.keep_up(trio[SENDER].ledger)
    backup = trio[SENDER].back_up()
    revoke_stolen_key(trio, RECIPIENT)
    trio[SENDER].restore(backup)
    assert _left(trio, referral_id).peer_confirmed_at is None
    _settle(trio)  # the recipient's service erases, and its own system is away
    trio[SENDER].restore(backup)
    left = _left(trio, referral_id)
    assert (left.peer_erased_at is None, left.peer_confirmed_at) == (False, None)


# the final status on a tombstone


def test_a_final_status_that_a_thief_has_said_keeps_out_no_later_one(trio: Bench) -> None:
    referral_id = _withdrawn(trio)
    _thief_says(trio, referral_id, kind="erased")
    assert (_left(trio, referral_id).status, _left(trio, referral_id).status_place) == (
        Status.COMPLETED,
        Place(*HIGHEST),
    )
    revoke_stolen_key(trio, RECIPIENT)
    _settle(trio)
    assert _left(trio, referral_id).status is Status.CANCELLED
    assert _left(trio, referral_id).status_place < Place(*HIGHEST)


def test_a_restored_recipient_is_asked_to_erase_too_whatever_a_thief_has_said_of_the_end(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio.settle()
    trio[RECIPIENT].say("reject", referral_id, outcome_reason="no-capacity")
    trio.settle()
    trio.clock.move(timedelta(minutes=2))
    retain(trio[SENDER].ledger, Retention(ended=timedelta(minutes=1)), trio[SENDER].writing())
    _thief_says(trio, referral_id, reason="retention")
    revoke_stolen_key(trio, RECIPIENT)
    word = a_word(trio, ReferralKey(SENDER, referral_id), RECIPIENT, SENDER, (2, 1), "rejected")
    trio[SENDER].take(event_record(trio, word))
    sent = [step.record for step in trio[SENDER].history(referral_id) if step.way == "sent"]
    assert sent == ["ReferralEvent", "ErasureEvent"]
