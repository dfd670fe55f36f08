"""Withdrawing, over the bench: erased at both sides, told apart from confirmed, whatever was under way."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from producers.withdrawals import withdraw
from referral_bus.errors import Reason, Refused
from referral_bus.ledger import dead_letter_lists, tombstones
from referral_bus.ledger.outbox import OutboxState
from schemas.events import ErasureEvent, ReferralKey, StorageReceipt
from schemas.lifecycle import ErasureKind, ErasureReason, Status
from tests.kit.bench import RESEND_AFTER, bench
from tests.kit.forge import an_erasure, signed
from tests.kit.people import RECIPIENT, SENDER, request
from tests.kit.registers import changed
from tests.kit.topics import decoded, events, records

DETAIL = {"outcome": "provided"}


@pytest.mark.parametrize("who", [SENDER, RECIPIENT])
def test_a_withdrawal_by_either_side_erases_at_both(tmp_path: Path, who: str) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        made[RECIPIENT].say("accept", referral)
        made.settle()
        made[who].withdraw(referral)
        made.settle()
        for code in (SENDER, RECIPIENT):
            left = made[code].tombstone(referral)
            assert left is not None
            assert (left.status, left.reason) == (Status.CANCELLED, ErasureReason.WITHDRAWN)
            assert made[code].status(referral) is None
        assert made[SENDER].owed(RECIPIENT) == made[RECIPIENT].owed(SENDER) == []


def test_an_end_stays_what_it_was(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        made[RECIPIENT].say("accept", referral)
        made[RECIPIENT].say("complete", referral, **DETAIL)
        made.settle()
        made[SENDER].withdraw(referral)
        made.settle()
        left = made[SENDER].tombstone(referral), made[RECIPIENT].tombstone(referral)
        assert [each and each.status for each in left] == [Status.COMPLETED, Status.COMPLETED]


def test_entered_in_error_is_the_senders_word_and_the_final_status(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        with pytest.raises(Refused) as refused:
            made[RECIPIENT].withdraw(referral, ErasureReason.ENTERED_IN_ERROR)
        assert refused.value.reason is Reason.TRANSITION_REFUSED
        made[SENDER].withdraw(referral, ErasureReason.ENTERED_IN_ERROR)
        made.settle()
        for code in (SENDER, RECIPIENT):
            left = made[code].tombstone(referral)
            assert left is not None
            assert left.status is Status.ENTERED_IN_ERROR


def test_erased_on_the_bus_and_confirmed_by_the_agency_are_told_apart(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        made[RECIPIENT].pull()
        made[SENDER].withdraw(referral)
        made.settle()
        asked = made[SENDER].tombstone(referral)
        assert asked is not None
        assert asked.peer_erased_at == made.clock()
        assert asked.peer_confirmed_at is None
        with made[SENDER].ledger.read() as tx:
            assert tombstones.unconfirmed(tx, made.clock()) == tombstones.Unconfirmed(1, 0)
            assert tombstones.unconfirmed(tx, made.clock() + timedelta(hours=73)) == tombstones.Unconfirmed(1, 1)
        with made[RECIPIENT].ledger.read() as tx:
            assert tombstones.unconfirmed(tx, made.clock()).count == 1
        made[RECIPIENT].pull()
        made.settle()
        asked = made[SENDER].tombstone(referral)
        assert asked is not None
        assert asked.peer_confirmed_at == made.clock()
        for code in (SENDER, RECIPIENT):
            with made[code].ledger.read() as tx:
                assert tombstones.unconfirmed(tx, made.clock()).count == 0


def test_both_sides_that_withdraw_at_once_both_hear_of_the_others_confirmation(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        made[SENDER].withdraw(referral)
        made[RECIPIENT].withdraw(referral)
        made.settle()
        for code in (SENDER, RECIPIENT):
            made[code].pull()
        made.settle()
        for code in (SENDER, RECIPIENT):
            left = made[code].tombstone(referral)
            assert left is not None
            assert left.peer_confirmed_at is not None
            assert left.status is Status.CANCELLED


def test_a_withdrawal_overtakes_what_has_not_arrived_and_no_late_copy_is_opened(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made[SENDER].send()  # in the recipient's inbox, not read yet
        late = records(made, made.register.inbox(RECIPIENT))[-1]
        made[SENDER].withdraw(referral)
        made.broker.wipe()
        made.clock.move(timedelta(minutes=1))
        made.settle()
        left = made[RECIPIENT].tombstone(referral)
        assert left is not None
        assert left.status is Status.CANCELLED
        made[RECIPIENT].take(late)
        assert [item.outcome for item in made[RECIPIENT].owed(SENDER)] == ["ERASED"]
        assert made[RECIPIENT].status(referral) is None
        assert [step.record for step in made[RECIPIENT].history(referral)] == [
            ErasureEvent.record,
            ErasureEvent.record,
        ]


def test_that_our_own_system_has_erased_is_said_once_however_many_words_it_is_given(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        for code in (SENDER, RECIPIENT):
            made[code].withdraw(referral)
        for _ in range(3):
            made[RECIPIENT].send()
            made[SENDER].read()
            made[SENDER].pull()
            made[SENDER].send()
            made[RECIPIENT].read()
        said = [event for event in decoded(made, made.register.inbox(RECIPIENT)) if isinstance(event, ErasureEvent)]
        assert [event.kind for event in said].count(ErasureKind.CONFIRMED) == 1


def test_what_is_held_of_it_goes_with_it(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        made.own_registers[SENDER] = changed(made.register, version=made.register.version + 1)
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()

        def held() -> int:
            with made[RECIPIENT].ledger.read() as tx:
                return len(dead_letter_lists.chosen(tx, dead_letter_lists.Choice(), 10))

        assert held() == 1
        made[SENDER].withdraw(referral)
        made.settle()
        assert held() == 0


def test_a_word_about_an_erasure_waits_for_no_other(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        made[SENDER].withdraw(referral)
        made[RECIPIENT].withdraw(referral)
        made[SENDER].send()
        made[RECIPIENT].send()
        made[SENDER].read()
        made[SENDER].pull()
        made[SENDER].send()
        made[SENDER].send()
        said = set(events(made, RECIPIENT)) - {records(made, made.register.inbox(RECIPIENT))[0].value}
        made.broker.wipe()
        made[SENDER].send()
        made.clock.move(RESEND_AFTER)
        for _ in range(2):
            made[SENDER].send()
        assert len(said) > 1
        assert set(events(made, RECIPIENT)) == said


def test_what_waited_in_the_outbox_never_leaves(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        made.broker.go_down()
        referral = made[SENDER].refer(RECIPIENT)
        made[SENDER].say("answer", referral, text="Synthetic text.")
        made[SENDER].withdraw(referral)
        made.broker.come_up()
        made.settle()
        sent = {each.record for each in decoded(made, made.register.inbox(RECIPIENT))}
        assert sent <= {ErasureEvent.record, StorageReceipt.record}
        states = [step.state for step in made[SENDER].history(referral)]
        assert states[:2] == [OutboxState.ERASED, OutboxState.ERASED]


def test_withdrawing_twice_changes_nothing(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        first = made[SENDER].withdraw(referral)
        made.clock.move(timedelta(hours=1))
        assert made[SENDER].withdraw(referral) == first
        with pytest.raises(Refused) as refused:
            made[SENDER].withdraw(uuid4())
        assert refused.value.reason is Reason.REFERRAL_UNKNOWN


def test_no_verb_can_be_said_about_an_erased_referral(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT)
        made.settle()
        made[SENDER].withdraw(referral)
        with pytest.raises(Refused) as refused:
            made[SENDER].say("cancel", referral)
        assert refused.value.reason is Reason.REFERRAL_ERASED


def test_the_idempotency_key_of_an_erased_referral_brings_nothing_back(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        asked = request(RECIPIENT, idempotency_key="case-17")
        referral = made[SENDER].publish(asked)[0]
        made[SENDER].withdraw(referral)
        with pytest.raises(Refused) as refused:
            made[SENDER].publish(asked)
        assert refused.value.reason is Reason.REFERRAL_ERASED


def test_an_id_that_another_agency_has_used_too_is_withdrawn_under_its_senders_name(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral = made[SENDER].refer(RECIPIENT, idempotency_key="case-17")
        made.settle()
        made[SENDER].take(signed(made, an_erasure(made, ReferralKey(RECIPIENT, referral), RECIPIENT, SENDER, (1, 1))))
        with pytest.raises(Refused) as refused:
            made[SENDER].withdraw(referral)
        assert f"{SENDER}/ID or {RECIPIENT}/ID" in refused.value.advice
        assert made[SENDER].refer(RECIPIENT, idempotency_key="case-17") == referral, "the other's erasure is not ours"
        name = f"{SENDER}/{referral}"
        left = withdraw(made[SENDER].ledger, name, ErasureReason.WITHDRAWN, made[SENDER].writing())
        assert left.key == (SENDER, referral)
