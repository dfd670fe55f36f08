"""One referral, folded from records in whatever order they come."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from consumers.monitor.flow import Flow, FlowKey, receipted, spoken, started
from schemas.events import ErasureEvent, ReferralEvent, StatusEvent
from schemas.lifecycle import Status

START = datetime(2026, 11, 23, 14, tzinfo=UTC)
KEY = FlowKey("family-women", UUID(int=1), "public-health")
NEW = Flow(1, KEY, agreed=True)


def minutes(number: int) -> datetime:
    return START + timedelta(minutes=number)


def fields(writer: str, place: tuple[int, int], **changes: Any) -> dict[str, Any]:
    return {
        "event_id": UUID(int=place[0] * 1000 + place[1]),
        "referral_id": KEY.referral_id,
        "referral_sender": KEY.sender,
        "writer": writer,
        "addressee": KEY.recipient if writer == KEY.sender else KEY.sender,
        "occurred_at": START,
        "register_version": 1,
        "incarnation": place[0],
        "sequence": place[1],
    } | changes


def referral(priority: str = "urgent") -> ReferralEvent:
    due = {"acknowledge_by": minutes(60), "respond_by": minutes(120), "priority": priority}
    follows = {"follows_incarnation": 0, "follows_sequence": 0}
    return ReferralEvent(**fields(KEY.sender, (1, 1), **due, **follows), sealing_key_id="0" * 32, sealed=b"")


def word(status: str | None, *place: int, follows: tuple[int, int] | None = None) -> StatusEvent:
    before = follows or ((place[0], place[1] - 1) if place[1] > 1 else (0, 0))
    behind = {"follows_incarnation": before[0], "follows_sequence": before[1]}
    common = fields(KEY.recipient, (place[0], place[1]), **behind)
    return StatusEvent(**common, status=status, sealing_key_id="0" * 32, sealed=b"")


def erasure(status: str, *place: int) -> ErasureEvent:
    common = fields(KEY.recipient, (place[0], place[1]))
    return ErasureEvent(**common, status=status, kind="erased", reason="withdrawn")


def after(*events: StatusEvent | ErasureEvent, flow: Flow = NEW) -> Flow:
    for number, event in enumerate(events):
        flow = spoken(flow, event, minutes(number))
    return flow


def test_the_highest_place_says_the_status() -> None:
    assert after(word("received", 1, 1), word("accepted", 1, 2)).status is Status.ACCEPTED
    assert after(word("accepted", 1, 2), word("received", 1, 1)).status is Status.ACCEPTED


def test_an_end_is_final_within_an_incarnation() -> None:
    assert after(word("completed", 1, 2), word("in-progress", 1, 3)).status is Status.COMPLETED
    assert after(word("in-progress", 1, 3), word("completed", 1, 2)).status is Status.COMPLETED
    assert after(word("completed", 1, 2), word("failed", 1, 3)).status is Status.COMPLETED


def test_a_restored_recipient_sets_the_status_anew() -> None:
    restored = after(word("completed", 1, 3), word("accepted", 2, 1, follows=(1, 2)))

    assert restored.status is Status.ACCEPTED
    assert restored.ended_at is None
    assert restored.open


def test_the_automatic_note_of_a_restored_service_meets_no_deadline() -> None:
    noted = after(word("requested", 2, 1))
    seen = spoken(noted, word("received", 2, 2), minutes(9))

    assert (noted.acknowledged_at, noted.stored_at) == (None, START)
    assert seen.acknowledged_at == minutes(9)


def test_the_first_word_of_a_first_incarnation_meets_the_deadline() -> None:
    assert after(word(None, 1, 1)).acknowledged_at == START


def test_an_erasure_by_the_recipient_ends_it_in_clear() -> None:
    erased = after(word("accepted", 1, 1), erasure("cancelled", 1, 2))

    assert erased.status is Status.CANCELLED
    assert not erased.open


def test_an_erasure_of_what_had_ended_changes_no_end() -> None:
    assert after(word("completed", 1, 1), erasure("completed", 1, 2)).ended_at == START


def test_a_status_that_is_on_no_list_says_only_that_somebody_spoke() -> None:
    spoke = after(word("exploded", 1, 1))

    assert spoke.status is Status.REQUESTED
    assert spoke.acknowledged_at == START


def test_a_second_referral_under_the_same_id_changes_nothing() -> None:
    first = started(NEW, referral("stat"), START, agreed=True)

    assert started(first, referral("routine"), minutes(5), agreed=False) == first


def test_a_priority_that_is_on_no_list_is_kept_as_unknown() -> None:
    assert started(NEW, referral("apocalyptic"), START, agreed=True).priority == ""


def test_a_refused_referral_is_closed_unless_its_recipient_speaks_about_it() -> None:
    refused = receipted(NEW, "REFUSED", "NOT_AGREED", 1, START)

    assert not refused.open
    assert after(word("received", 1, 1), flow=refused).open


def test_within_an_incarnation_the_first_final_receipt_stands() -> None:
    stored = receipted(NEW, "STORED", None, 1, START)

    assert receipted(stored, "REFUSED", "OPEN_FAILED", 1, minutes(1)) == stored
    assert receipted(stored, "REFUSED", "REFERRAL_UNKNOWN", 2, minutes(1)).refused == "REFERRAL_UNKNOWN"


def test_a_receipt_that_is_not_final_proves_nothing() -> None:
    for outcome in ("HELD", "MISSING", "RESEAL", "WHATEVER"):
        assert receipted(NEW, outcome, None, 1, START) == NEW


def test_a_refusal_by_a_code_on_no_list_is_kept_without_the_code() -> None:
    assert receipted(NEW, "REFUSED", "DROP_TABLE", 1, START).refused == ""


STATUSES = st.sampled_from([*(status.value for status in Status), None])
WORDS = st.dictionaries(st.tuples(st.integers(1, 3), st.integers(1, 5)), STATUSES, min_size=1)


@given(said=WORDS, data=st.data())
def test_the_order_of_reading_changes_nothing_but_times(
    said: dict[tuple[int, int], str | None], data: st.DataObject
) -> None:
    """They stand in other topics, are lost and sent again, and are read again from anywhere."""
    words = [word(status, *place) for place, status in said.items()]
    shuffled = data.draw(st.permutations(words))

    one, other = after(*words), after(*shuffled)

    assert (one.status, one.status_place, one.open) == (other.status, other.status_place, other.open)
    assert (one.ended_at is None) == (other.ended_at is None)
    assert (one.spoken_in, one.acted_in) == (other.spoken_in, other.acted_in)
    assert (one.acknowledged_at is None) == (other.acknowledged_at is None)


@given(said=WORDS, at=st.integers(0, 5))
def test_a_referral_may_be_read_after_its_answers(said: dict[tuple[int, int], str | None], at: int) -> None:
    words = [word(status, *place) for place, status in said.items()]
    before = after(*words, flow=started(NEW, referral(), START, agreed=True))

    between = started(after(*words[:at]), referral(), START, agreed=True)
    for number, event in list(enumerate(words))[at:]:
        between = spoken(between, event, minutes(number))

    assert between == before
