"""What any agency with a key can make us keep is bounded, and nothing that it says breaks what others see."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from consumers.agency.verdicts import NotTaken, TakenIn
from referral_bus.broker.protocols import Delivery
from referral_bus.ledger import dead_letters, held_events, quotas, tables
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.raw import RawRecord
from schemas.events import ErasureEvent
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, a_word, event_record, signed, signed_bytes
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed, without_agreement

FEW = 3
NEWER = b"\xc3\x01schema-9"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "MOST_A_DAY", FEW)


def _read(trio: Bench, *raws: RawRecord) -> None:
    trio[RECIPIENT].ingest.take([Delivery(raw, 0, at, trio.clock()) for at, raw in enumerate(raws)])


def _word_about_nothing(trio: Bench, writer: str = SENDER) -> RawRecord:
    event = a_referral(trio, writer, RECIPIENT)
    return event_record(trio, a_word(trio, event.referral, writer, RECIPIENT, (1, 1)))


def _erasure_of_nothing(trio: Bench, writer: str = SENDER) -> RawRecord:
    common = a_referral(trio, writer, RECIPIENT).model_dump(include=set(ErasureEvent.model_fields))
    return signed(trio, ErasureEvent(**common, status=None, kind="requested", reason="withdrawn"))


@pytest.mark.parametrize(
    ("make", "kind"), [(_word_about_nothing, "StatusEvent"), (_erasure_of_nothing, "ErasureEvent")]
)
def test_what_nobody_has_asked_for_is_kept_only_so_often_a_day_and_then_comes_again(
    trio: Bench, make: Callable[..., RawRecord], kind: str
) -> None:
    raws = [make(trio) for _ in range(FEW + 1)]
    _read(trio, *raws)
    assert len(trio[RECIPIENT].owed(SENDER)) == FEW
    counted = trio[RECIPIENT].metrics.registry.get_sample_value
    assert counted("referralbus_process_failures_total", {"event_type": kind, "reason": "NO_ROOM"}) == 1
    _read(trio, make(trio, THIRD))
    assert len(trio[RECIPIENT].owed(THIRD)) == 1, "the others have their own share"
    trio.clock.move(timedelta(days=1))
    _read(trio, raws[-1])
    assert len(trio[RECIPIENT].owed(SENDER)) == FEW + 1, "its writer had no answer, and sent it again"


def _malformed(trio: Bench, size: int = 10, writer: str = SENDER) -> RawRecord:
    """Signed, and no value of ours."""
    event = a_referral(trio, writer, RECIPIENT)
    return signed_bytes(trio, encode(event) + trio.new_id().bytes + bytes(size), event)


def test_what_cannot_be_decoded_is_kept_only_so_often_a_day(trio: Bench) -> None:
    _read(trio, *(_malformed(trio) for _ in range(FEW + 1)))
    assert len(trio[RECIPIENT].owed(SENDER)) == FEW
    _read(trio, _malformed(trio, writer=THIRD))
    assert len(trio[RECIPIENT].owed(THIRD)) == 1


def test_copies_of_one_record_that_cannot_be_decoded_use_up_nothing_of_its_writers_share(trio: Bench) -> None:
    malformed = _malformed(trio)
    _read(trio, *[malformed] * (3 * FEW))
    others = [_malformed(trio) for _ in range(FEW - 1)]
    _read(trio, *others)
    assert len(_kept(trio)) == FEW
    _read(trio, malformed)
    assert len(trio[RECIPIENT].owed(SENDER)) == FEW, "it is answered, also when the share is used up"


def test_of_what_is_refused_so_many_bytes_are_kept_and_the_largest_writer_makes_room(
    trio: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "MOST_A_DAY", 1000)
    size, few = 60_000, 5
    _read(trio, _malformed(trio, size, THIRD))
    _read(trio, *(_malformed(trio, size) for _ in range(10)))
    with trio[RECIPIENT].ledger.write() as tx:
        dropped = dead_letters.drop_beyond(tx, 1000, few * 64 * 1024)
    kept = [writer for (writer, _) in _kept(trio)]
    assert dropped == 11 - few
    assert sorted(kept) == [SENDER] * (few - 1) + [THIRD], "each has the same share before any has more"
    assert sum(length for (_, length) in _kept(trio)) <= few * 64 * 1024


def test_of_what_is_held_so_many_bytes_are_kept(trio: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_events, "MOST_HELD_BYTES", 150_000)
    newer = [
        signed_bytes(trio, NEWER + trio.new_id().bytes + bytes(60_000), a_referral(trio, SENDER, RECIPIENT))
        for _ in range(5)
    ]
    _read(trio, *newer)
    assert len(_kept(trio)) == 3
    assert len(trio[RECIPIENT].owed(SENDER)) == 3, "the others come again"


def _kept(trio: Bench) -> list[tuple[str, int]]:
    letters = tables.dead_letters.c
    with trio[RECIPIENT].ledger.read() as tx:
        return [
            (writer, length)
            for writer, length in tx.connection.execute(sa.select(letters.writer, sa.func.length(letters.value)))
        ]


def test_a_referral_that_we_have_is_erased_however_much_was_refused(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    _read(trio, event_record(trio, event), *(_word_about_nothing(trio) for _ in range(FEW + 1)))
    common = event.model_dump(include=set(ErasureEvent.model_fields)) | {"event_id": trio.new_id(), "sequence": 2}
    _read(trio, signed(trio, ErasureEvent(**common, status=None, kind="requested", reason="withdrawn")))
    assert trio[RECIPIENT].tombstone(event.referral_id) is not None
    _read(trio, event_record(trio, a_referral(trio, SENDER, RECIPIENT)))
    assert len(trio[RECIPIENT].referrals()) == 1, "and good events go on"


def test_what_is_held_already_is_refused_whatever_the_share(trio: Bench) -> None:
    """Were there no room for it, its bytes would be lost."""
    _read(trio, *(event_record(trio, a_referral(trio, SENDER, RECIPIENT, register_version=2)) for _ in range(FEW + 2)))
    trio.own_registers[RECIPIENT] = changed(without_agreement(trio.register, SENDER, RECIPIENT), version=2)
    trio[RECIPIENT].ingest.judge_held()
    told = [(item.outcome, item.code) for item in trio[RECIPIENT].owed(SENDER)]
    assert told == [(Outcome.REFUSED, Code.NOT_AGREED)] * (FEW + 2)


def test_a_stranger_breaks_nobodys_view_of_a_referral(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    trio[RECIPIENT].take(event_record(trio, event))
    stranger = a_word(trio, event.referral, THIRD, RECIPIENT, (1, 1), "bogus-status")
    assert trio[RECIPIENT].take(event_record(trio, stranger)) == [
        NotTaken("StatusEvent", Code.REFERRAL_UNKNOWN, owed=True)
    ]
    steps = trio[RECIPIENT].history(event.referral_id)
    assert [step.record for step in steps] == ["ReferralEvent"], "what others say of it is nothing to it"


def test_a_refused_word_with_a_status_that_we_do_not_know_can_be_shown(trio: Bench) -> None:
    event = a_referral(trio, SENDER, RECIPIENT)
    assert trio[RECIPIENT].take(event_record(trio, event)) == [TakenIn("ReferralEvent")]
    word = a_word(trio, event.referral, SENDER, RECIPIENT, (1, 1), "bogus-status")  # at a place that is taken
    assert trio[RECIPIENT].take(event_record(trio, word)) == [NotTaken("StatusEvent", Code.EQUIVOCATION, owed=True)]
    steps = trio[RECIPIENT].history(event.referral_id)
    assert [(step.record, step.status) for step in steps] == [("ReferralEvent", None), ("StatusEvent", None)]
