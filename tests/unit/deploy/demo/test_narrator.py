"""What the demonstration tells of an event as it reaches the other side."""

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest

from deploy.demo.narrator import Narrator, line
from referral_bus.ledger.handovers import Received
from schemas.events import ReferralKey
from schemas.lifecycle import ErasureKind, ErasureReason, Side, Status
from schemas.personal import StatusBody
from tests.kit.bench import bench
from tests.kit.people import RECIPIENT, SENDER

AT = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


def received(body: StatusBody | None, kind: ErasureKind | None = None, status: Status | None = None) -> Received:
    return Received(
        cursor=1,
        event_id=UUID(int=1),
        referral=ReferralKey("family-women", UUID("3f2a91bc-0000-4000-8000-000000000000")),
        side=Side.SENDER,
        peer="public-health",
        record="StatusEvent" if kind is None else "ErasureEvent",
        status=status,
        occurred_at=AT,
        recorded_at=AT + timedelta(milliseconds=41),
        body=body,
        kind=kind,
        reason=None if kind is None else ErasureReason.WITHDRAWN,
    )


def test_an_answer_is_told_with_its_way_and_how_long_it_took() -> None:
    told = line("family-women", received(StatusBody(), status=Status.ACCEPTED), AT + timedelta(milliseconds=41))
    assert "public-health → family-women" in told
    assert "3f2a91bc  accepted" in told
    assert told.endswith("stored after 41 ms")


def test_the_time_is_told_in_utc_whatever_the_zone_of_the_machine_or_of_the_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tashkent")
    time.tzset()
    try:
        for at in (AT, AT.astimezone(timezone(timedelta(hours=5)))):
            assert line("family-women", received(StatusBody()), at).startswith("  14:05:00Z  ")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_word_about_an_erasure_is_told_as_such() -> None:
    told = line("family-women", received(None, ErasureKind.CONFIRMED, Status.CANCELLED), AT)
    assert "erasure confirmed (withdrawn)" in told


def test_it_tells_each_event_once_from_the_moment_on_at_which_it_was_made(tmp_path: Path) -> None:
    told: list[str] = []
    with bench(tmp_path, SENDER, RECIPIENT) as pair:
        earlier = pair[SENDER].refer(RECIPIENT)
        pair.settle()
        with Narrator({code: pair[code].ledger for code in (SENDER, RECIPIENT)}, told.append) as narrator:
            narrator.say("(a) A story.")
            later = pair[SENDER].refer(RECIPIENT)
            pair.settle()
            narrator.say("    It goes on.")
    assert len(told) == 3
    assert str(later)[:8] in told[1]
    assert not any(str(earlier)[:8] in line for line in told)
