"""What the home remembers outside backups: durable before anything leaves, whole after any crash."""

from pathlib import Path

import pytest

from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.ledger import audit
from referral_bus.rollback_guard import LOWEST, HighWater, RollbackGuard
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.topics import events


def _erased(pair: Bench, times: int = 1) -> None:
    for _ in range(times):
        pair[SENDER].withdraw(pair[SENDER].refer(RECIPIENT))


def test_nothing_leaves_before_the_mark_and_the_journal_are_durable(pair: Bench) -> None:
    """The disk of the home folder is in trouble: the relay waits."""
    station = pair[SENDER]
    _erased(pair)
    folder = station.rollback_guard.folder
    held = folder.with_name("held")
    folder.rename(held)
    folder.write_text("in its way")
    with pytest.raises(Unreachable):
        station.send()
    assert events(pair, RECIPIENT) == []
    assert not station.rollback_guard.writable
    folder.unlink()
    held.rename(folder)
    pair.settle()
    assert station.rollback_guard.writable
    assert len(station.rollback_guard.journal()) == 1
    assert len(events(pair, RECIPIENT)) == 1
    with station.ledger.read() as tx:
        assert station.rollback_guard.high_water() == HighWater(1, audit.end(tx).count)


def test_every_tombstone_is_in_the_journal_as_it_is_now(pair: Bench) -> None:
    _erased(pair, 3)
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    for code in (SENDER, RECIPIENT):
        station = pair[code]
        station.rollback_guard.keep_up(station.ledger)
        journal = station.rollback_guard.journal()
        assert len(journal) == 3
        for left in journal:
            assert left == station.tombstone(left.key.referral_id)


def test_the_beginning_of_a_line_that_a_crash_left_is_passed_over_and_written_anew(pair: Bench) -> None:
    station = pair[SENDER]
    _erased(pair, 2)
    station.rollback_guard.keep_up(station.ledger)
    journal = station.rollback_guard.folder / "tombstones.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    assert len(station.rollback_guard.journal()) == 1
    _erased(pair)
    fresh = RollbackGuard(station.rollback_guard.folder)
    fresh.keep_up(station.ledger)
    assert journal.read_bytes().startswith(whole)
    assert len(fresh.journal()) == 3


def test_the_mark_only_ever_rises(tmp_path: Path) -> None:
    rollback_guard = RollbackGuard(tmp_path / "outside")
    assert rollback_guard.high_water() == LOWEST
    for mark in (HighWater(1, 7), HighWater(2, 0), HighWater(2, 3), HighWater(1, 99), HighWater(2, 1)):
        rollback_guard.raise_to(mark)
    assert rollback_guard.high_water() == HighWater(2, 3)


def test_a_damaged_mark_is_no_mark_at_zero(tmp_path: Path) -> None:
    rollback_guard = RollbackGuard(tmp_path)
    (tmp_path / "high-water.json").write_text("{")
    with pytest.raises(Refused):
        rollback_guard.high_water()


def test_two_processes_side_by_side_write_one_whole_journal(pair: Bench) -> None:
    service, command = pair[SENDER].rollback_guard, RollbackGuard(pair[SENDER].rollback_guard.folder)
    for writer in (service, command, service, command):
        _erased(pair)
        writer.keep_up(pair[SENDER].ledger)
    assert [left.revision for left in service.journal()] == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", [b"{}\n", b"garbage\n", b"[]\n"])
def test_a_damaged_journal_is_named_and_nothing_is_added_to_it(pair: Bench, damage: bytes) -> None:
    _erased(pair)
    station = pair[SENDER]
    journal = station.rollback_guard.folder / "tombstones.jsonl"
    journal.write_bytes(damage)
    for use in (station.rollback_guard.journal, lambda: station.rollback_guard.keep_up(station.ledger)):
        with pytest.raises(Refused) as refused:
            use()
        assert (refused.value.reason, refused.value.path) == (Reason.HOME_INVALID, "tombstones.jsonl")
    assert journal.read_bytes() == damage
