"""What others say of our events and of themselves: whose receipts count, and which announcement."""

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from consumers.agency.verdicts import TakenIn
from referral_bus.ledger import tables
from referral_bus.ledger.outbox import OutboxState, give_up
from referral_bus.ledger.peers import Peer, all_peers
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_word, an_announcement, event_record, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD


def _sent(trio: Bench) -> tuple[UUID, bytes]:
    """A referral that has left and is not receipted, and the digest of its bytes."""
    referral_id = trio[SENDER].refer(RECIPIENT)
    trio[SENDER].send()
    with trio[SENDER].ledger.read() as tx:
        digest: bytes = tx.connection.execute(sa.select(tables.sent_values.c.value_sha256)).scalar_one()
    return referral_id, digest


def _state(trio: Bench, referral_id: UUID) -> tuple[OutboxState | None, str | None]:
    step = trio[SENDER].history(referral_id)[0]
    return step.state, step.code


def _peer(trio: Bench, code: str) -> Peer:
    with trio[SENDER].ledger.read() as tx:
        return all_peers(tx)[code]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.STORED, OutboxState.STORED),
        (Outcome.ERASED, OutboxState.ERASED),
        (Outcome.REFUSED, OutboxState.REFUSED),
    ],
)
def test_a_final_receipt_of_the_addressee_empties_the_outbox(trio: Bench, outcome: Outcome, state: OutboxState) -> None:
    referral_id, digest = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, outcome))
    assert _state(trio, referral_id)[0] is state
    trio.clock.move(timedelta(days=1))
    trio[SENDER].relay.tick()
    assert _sends(trio) == 1


def _sends(trio: Bench) -> int:
    with trio[SENDER].ledger.read() as tx:
        return int(tx.connection.execute(sa.select(sa.func.sum(tables.outbox.c.sends))).scalar_one())


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.HELD, OutboxState.HELD), (Outcome.RESEAL, OutboxState.SENT), ("SOMETHING_NEWER", OutboxState.SENT)],
)
def test_an_outcome_that_is_not_final_leaves_the_event_in_the_outbox(
    trio: Bench, outcome: str, state: OutboxState
) -> None:
    referral_id, digest = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, outcome))
    assert _state(trio, referral_id)[0] is state
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest))
    assert _state(trio, referral_id)[0] is OutboxState.STORED


@pytest.mark.parametrize("late", [Outcome.HELD, Outcome.MISSING, Outcome.RESEAL])
@pytest.mark.parametrize("final", [Outcome.STORED, Outcome.ERASED, Outcome.REFUSED])
def test_a_word_that_is_not_final_opens_nothing_that_is(trio: Bench, final: Outcome, late: Outcome) -> None:
    """It was said before, and the host has kept it back."""
    referral_id, digest = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, final, code=Code.NOT_AGREED))
    before = _state(trio, referral_id)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, late, code=Code.REGISTER_NEWER))
    trio.clock.move(timedelta(days=1))
    trio[SENDER].relay.tick()
    assert _state(trio, referral_id) == before
    assert _sends(trio) == 1


def test_receipts_count_only_from_the_addressee(trio: Bench) -> None:
    """The host has shown a third agency our event's bytes; it says that they are stored."""
    referral_id, digest = _sent(trio)
    assert trio[SENDER].take(a_receipt(trio, THIRD, SENDER, digest)) == [TakenIn("StorageReceipt")]
    assert _state(trio, referral_id)[0] is OutboxState.SENT


def test_a_receipt_for_bytes_that_were_never_sent_changes_nothing(trio: Bench) -> None:
    referral_id, _ = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, bytes(32)))
    assert _state(trio, referral_id)[0] is OutboxState.SENT


def test_a_receipt_from_an_older_incarnation_of_the_addressee_is_ignored(trio: Bench) -> None:
    referral_id, digest = _sent(trio)
    trio[SENDER].take(signed(trio, an_announcement(trio, RECIPIENT, counter=1, incarnation=2)))
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, incarnation=1))
    assert _state(trio, referral_id)[0] is OutboxState.SENT
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, incarnation=2))
    assert _state(trio, referral_id)[0] is OutboxState.STORED


def test_within_one_incarnation_the_first_final_receipt_stands(trio: Bench) -> None:
    referral_id, digest = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, Outcome.STORED))
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, Outcome.REFUSED, code=Code.NOT_AGREED))
    assert _state(trio, referral_id) == (OutboxState.STORED, None)


def test_the_receipt_of_a_higher_incarnation_wins(trio: Bench) -> None:
    referral_id, digest = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, Outcome.STORED))
    refusal = a_receipt(trio, RECIPIENT, SENDER, digest, Outcome.REFUSED, code=Code.NOT_AGREED, incarnation=2)
    trio[SENDER].take(refusal)
    assert _state(trio, referral_id) == (OutboxState.REFUSED, Code.NOT_AGREED)


def test_a_receipt_that_comes_after_an_event_was_given_up_is_believed(trio: Bench) -> None:
    referral_id, digest = _sent(trio)
    with trio[SENDER].ledger.write() as tx:
        assert give_up(tx, [RECIPIENT], trio.clock()) == 1
    assert _state(trio, referral_id)[0] is OutboxState.UNDELIVERABLE
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, Outcome.STORED))
    assert _state(trio, referral_id)[0] is OutboxState.STORED


@pytest.mark.parametrize("outcome", Outcome)
def test_nothing_answers_a_receipt(trio: Bench, outcome: Outcome) -> None:
    _, digest = _sent(trio)
    trio[SENDER].take(a_receipt(trio, RECIPIENT, SENDER, digest, outcome, code=Code.NOT_AGREED))
    assert trio[SENDER].owed(RECIPIENT) == []
    assert _sends(trio) == 1


def test_of_announcements_the_highest_incarnation_and_counter_wins(trio: Bench) -> None:
    for incarnation, counter in ((1, 7), (2, 3), (2, 4)):
        announcement = an_announcement(trio, RECIPIENT, counter, incarnation=incarnation)
        trio[SENDER].take(signed(trio, announcement))
        assert _peer(trio, RECIPIENT).announcement == announcement


@pytest.mark.parametrize(("incarnation", "counter"), [(1, 9), (2, 2), (2, 3)])
def test_an_older_announcement_replayed_changes_nothing(trio: Bench, incarnation: int, counter: int) -> None:
    newest = an_announcement(trio, RECIPIENT, 3, incarnation=2)
    trio[SENDER].take(signed(trio, newest))
    before = _peer(trio, RECIPIENT)
    trio.clock.move(timedelta(hours=1))
    old = an_announcement(trio, RECIPIENT, counter, incarnation=incarnation, sealing_keys=())
    assert trio[SENDER].take(signed(trio, old)) == [TakenIn("AgencyAnnouncement")]
    assert _peer(trio, RECIPIENT) == before


def test_an_announcement_on_another_agencys_topic_is_ignored(trio: Bench) -> None:
    before = _peer(trio, RECIPIENT)
    newer = an_announcement(trio, RECIPIENT, 99)
    for topic in (trio.register.announcement(THIRD), trio.register.inbox(SENDER)):
        trio[SENDER].take(signed(trio, newer, topic=topic))
    assert _peer(trio, RECIPIENT) == before


@pytest.mark.parametrize("event", [False, True])
def test_an_event_or_a_receipt_of_a_higher_incarnation_makes_older_announcements_old(trio: Bench, event: bool) -> None:
    key = trio[SENDER].key(trio[SENDER].refer(RECIPIENT))
    word = event_record(trio, a_word(trio, key, RECIPIENT, SENDER, (2, 1), "accepted", follows=(0, 0)))
    trio[SENDER].take(word if event else a_receipt(trio, RECIPIENT, SENDER, bytes(32), incarnation=2))
    known = _peer(trio, RECIPIENT)
    trio[SENDER].take(signed(trio, an_announcement(trio, RECIPIENT, 99, sealing_keys=())))
    assert known.incarnation == 2
    assert _peer(trio, RECIPIENT).announcement == known.announcement
