"""Schedules that once ended badly, as short as they could be made."""

from pathlib import Path

import pytest

from tests.property.schedules.broken import HostBelieved, NoJournal, NoMark, TracesLeft
from tests.property.schedules.crashing import CrashingBench
from tests.property.schedules.running import run
from tests.property.schedules.steps import Step

FOUND: dict[str, list[Step]] = {
    # The other side had asked already: a second wish waited for a confirmation that nobody was asked for.
    "whoever withdraws what the other side has erased waits for nobody": [
        ("refer", 1, 0, 0),
        ("entered in error", 1, 0, 0),
        ("relay", 1, 0, 0),
        ("deliver all", 0, 0, 0),
        ("withdraw", 0, 0, 0),
    ],
    # The journal's older line replaced the backup's newer tombstone, so that nobody was told of our confirmation.
    "a backup that knows more of an erasure than the journal keeps it": [
        ("refer", 0, 0, 0),
        ("relay", 0, 0, 0),
        ("deliver all", 1, 0, 0),
        ("entered in error", 0, 0, 0),
        ("withdraw", 1, 0, 0),
        ("relay", 0, 0, 0),
        ("deliver", 1, 0, 0),
        ("back up", 1, 0, 0),
        ("restore", 1, 0, 0),
    ],
    # Two histories of one ledger gave the same revision to two tombstones, and going on after a restore failed.
    "a backup from a history that was given up can be gone on with": [
        ("refer", 0, 0, 0),
        ("refer", 0, 0, 0),
        ("refer", 0, 0, 0),
        ("relay", 0, 0, 0),
        ("deliver all", 1, 0, 0),
        ("back up", 0, 0, 0),
        ("withdraw", 1, 0, 0),
        ("relay", 1, 0, 0),
        ("deliver all", 0, 0, 0),
        ("back up", 0, 0, 0),
        ("restore", 0, 1, 0),
        ("withdraw", 0, 1, 0),
        ("withdraw", 0, 2, 0),
        ("restore", 0, 0, 0),
    ],
    # The process ended after the journal and before the mark; a ledger without that erasure was then taken for the
    # newest, and gave its next erasure a revision that the journal had already.
    "a ledger that lacks what the journal has is never taken for the newest": [
        ("refer", 0, 0, 0),
        ("refer", 0, 0, 0),
        ("relay", 0, 0, 0),
        ("back up", 0, 0, 0),
        ("crash", 0, 4, 0),
        ("withdraw", 0, 0, 0),
        ("restore", 0, 0, 1),
        ("withdraw", 0, 1, 0),
        ("restore", 0, 0, 0),
    ],
    # The monitor held the lost answer for the state of things, and the sender had it seen where the recipient had not.
    "what a restored recipient has lost is lost for its sender and for the monitor": [
        ("refer", 0, 0, 0),
        ("relay", 0, 0, 0),
        ("deliver all", 1, 0, 0),
        ("relay", 1, 0, 0),
        ("deliver all", 0, 0, 0),
        ("back up", 1, 0, 0),
        ("say", 1, 0, 1),
        ("relay", 1, 0, 0),
        ("deliver all", 0, 0, 0),
        ("restore", 1, 0, 0),
    ],
    # Two referrals whose consent was over by our clock alone woke each other, for ever.
    "what may not go rests, and lets others rest": [
        ("refer briefly", 0, 0, 0),
        ("back up", 1, 0, 0),
        ("relay", 0, 0, 0),
        ("wait", 0, 27, 0),
        ("refer briefly", 1, 0, 0),
        ("say wrongly", 0, 0, 0),
        ("withdraw", 1, 0, 0),
        ("restore", 1, 0, 0),
    ],
}


@pytest.mark.parametrize("promise", FOUND)
def test_what_was_found_once_stays_mended(promise: str, tmp_path: Path) -> None:
    assert run(FOUND[promise], tmp_path / "world") == []


TOLD_AND_LOST: list[Step] = [
    ("refer", 0, 0, 0),
    ("relay", 0, 0, 0),
    ("deliver all", 1, 0, 1),
    ("back up", 0, 0, 0),
    ("say", 0, 0, 0),
    ("relay", 0, 0, 0),
    ("deliver all", 1, 0, 1),
    ("restore", 0, 0, 15),
    ("say", 0, 0, 0),
    ("relay", 0, 0, 0),
    ("deliver all", 1, 0, 1),
]
BROKEN: list[tuple[type[CrashingBench], list[Step], str]] = [
    (NoMark, TOLD_AND_LOST, "I8 EQUIVOCATION"),
    (NoJournal, [("refer", 0, 0, 0), ("back up", 0, 0, 0), ("withdraw", 0, 0, 0), ("restore", 0, 0, 0)], "I5 what"),
    (HostBelieved, [("refer", 0, 0, 0), ("relay", 0, 0, 0)], "I1 ReferralEvent shown as stored"),
    (TracesLeft, [("refer", 0, 0, 0), ("relay", 0, 0, 0), ("withdraw", 0, 0, 0)], "I5 sealed bytes left"),
]


@pytest.mark.parametrize(("broken", "schedule", "violation"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_that_does_not_hold_is_found_out(
    broken: type[CrashingBench], schedule: list[Step], violation: str, tmp_path: Path
) -> None:
    assert [each for each in run(schedule, tmp_path / "world", broken) if each.startswith(violation)]
    assert run(schedule, tmp_path / "world") == []
