"""A ledger that is missing, damaged, locked, or on a full disk: one clear word of it, and nothing accepted is lost."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from deploy.app.backups import put_in_place
from referral_bus.errors import LedgerUnusable, Reason, Refused, Unreachable
from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.ledger_errors import reachable
from referral_bus.ledger.own_agency import next_announcement_place
from referral_bus.ledger.store import BUSY_TIMEOUT_S, Changes, Ledger, create_ledger, open_ledger
from schemas.events import Place
from tests.kit.made_once import AT_REST
from tests.kit.people import SENDER
from tests.kit.small_disk import SmallDisk, small_disk
from tests.kit.waiting import PATIENCE_S

AT = AtRest(AT_REST)
KEY = b"PLANTED-KEY-7731"


def _fill(ledger: Ledger, rows: int) -> None:
    """Rows that make the file larger."""
    with ledger.write() as tx:
        values = [{"key": KEY + number.to_bytes(4), "content": bytes(900)} for number in range(rows)]
        raw = "INSERT INTO sent_values (value_sha256, number) VALUES (:key || :content, 0)"
        tx.connection.execute(sa.text(raw), values)


@pytest.fixture
def closed(ledger: Ledger) -> Path:
    """The file of a ledger of a megabyte that was closed in order."""
    _fill(ledger, 1000)
    ledger.close()
    assert not ledger.path.with_name("ledger.sqlite-wal").exists()
    return ledger.path


def _open(path: Path) -> None:
    ledger = open_ledger(path, AT, SENDER)
    try:
        ledger.check()
    finally:
        ledger.close()


def _overwrite(path: Path, at: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * length)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "bytes overwritten in the middle": lambda path: _overwrite(path, path.stat().st_size // 2, 20_000),
    "its first page overwritten": lambda path: _overwrite(path, 100, 4_000),
    "its header overwritten": lambda path: _overwrite(path, 0, 16),
    "another format in its header": lambda path: _overwrite(path, 44, 4),
    "cut in the middle": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut to its header": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "empty": lambda path: path.write_bytes(b""),
    "no database at all": lambda path: path.write_bytes(b"certainly no database, and long enough to look at" * 100),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_missing_ledger_is_never_opened_and_never_made_anew(damage: str, closed: Path) -> None:
    DAMAGES[damage](closed)
    before = closed.read_bytes() if closed.exists() else None
    with pytest.raises(LedgerUnusable) as unusable:
        _open(closed)
    assert (unusable.value.reason, unusable.value.exit_code) == (Reason.LEDGER_DAMAGED, 2)
    assert "agency restored" in unusable.value.advice
    assert (closed.read_bytes() if closed.exists() else None) == before


def test_a_sound_ledger_passes_the_check(closed: Path) -> None:
    _open(closed)


def test_a_database_that_is_not_a_ledger_is_not_made_into_one(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE cases (id)")
    with pytest.raises(LedgerUnusable):
        _open(path)


def test_a_ledger_of_newer_software_is_refused_and_says_what_is_needed(closed: Path) -> None:
    with closing(sqlite3.connect(closed)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = 'v9999'")
    with pytest.raises(Refused, match="newer software") as refused:
        _open(closed)
    assert refused.value.reason is Reason.HOME_INVALID


def test_a_new_ledger_takes_the_place_of_nothing(closed: Path) -> None:
    before = closed.read_bytes()
    with pytest.raises(Refused):
        create_ledger(closed, AT, SENDER)
    assert closed.read_bytes() == before


def test_damage_that_shows_while_it_is_used_is_the_end_of_the_ledger_and_quotes_nothing(ledger: Ledger) -> None:
    _fill(ledger, 1000)
    assert ledger.empty_log()
    ledger.engine.dispose()  # its cache of pages
    _overwrite(ledger.path, 40_000, ledger.path.stat().st_size - 40_000)
    with pytest.raises(LedgerUnusable) as unusable, ledger.write() as tx:
        tx.connection.execute(sa.select(tables.sent_values)).all()
    assert unusable.value.__suppress_context__


@pytest.mark.parametrize("how", ["missing", "another file"])
def test_a_ledger_that_is_taken_away_while_it_is_open_is_noticed(how: str, ledger: Ledger, tmp_path: Path) -> None:
    changes, stop = Changes(ledger.path), threading.Event()
    moved = tmp_path / "moved.sqlite"

    def progress() -> None:
        if not moved.exists():
            ledger.path.rename(moved)
            if how == "another file":
                ledger.path.write_bytes(moved.read_bytes())

    with pytest.raises(LedgerUnusable):
        changes.run(stop, progress)


def test_watching_a_ledger_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        Changes(tmp_path / "ledger.sqlite").run(threading.Event(), lambda: None)
    assert list(tmp_path.iterdir()) == []


def _impatient(ledger: Ledger) -> Ledger:
    """The same ledger for somebody who does not wait for the lock."""
    engine = sa.create_engine(f"sqlite:///{ledger.path}", connect_args={"isolation_level": None, "timeout": 0})
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return Ledger(engine, ledger.at_rest, SENDER, ledger.path)


def test_a_locked_ledger_is_unreachable_until_it_is_free_and_is_not_writable_meanwhile(ledger: Ledger) -> None:
    impatient = _impatient(ledger)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unreachable) as unreachable, impatient.write():
            pass
        assert unreachable.value.retriable
        assert "another process holds it" in unreachable.value.advice
        assert not impatient.writable
    with impatient.write() as tx:
        assert next_announcement_place(tx) == Place(1, 1)
    assert impatient.writable
    impatient.close()


@pytest.mark.parametrize("kind", [sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.OperationalError])
def test_a_mistake_of_ours_is_not_taken_for_the_disks(kind: type[sqlite3.Error], tmp_path: Path) -> None:
    with pytest.raises(kind), reachable(tmp_path):
        raise kind


def test_a_read_only_file_is_unreachable_and_not_damaged(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "any.sqlite")) as made:
        made.execute("CREATE TABLE cases (id)")
    read_only = sqlite3.connect(f"file:{tmp_path / 'any.sqlite'}?mode=ro", uri=True)
    with closing(read_only), pytest.raises(Unreachable) as unreachable, reachable(tmp_path / "any.sqlite"):
        read_only.execute("CREATE TABLE more (id)")
    assert "look at its mode" in unreachable.value.advice


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8) as made:
        yield made


def test_on_a_full_disk_what_was_committed_stays_and_writing_goes_on_when_there_is_room(disk: SmallDisk) -> None:
    ledger = create_ledger(disk.folder / "ledger.sqlite", AT, SENDER)
    _fill(ledger, 100)
    disk.fill()
    committed = 0
    with pytest.raises(Unreachable) as unreachable:
        while True:
            with ledger.write() as tx:
                next_announcement_place(tx)
            committed += 1
    assert "the disk is full" in unreachable.value.advice
    assert not ledger.writable
    with ledger.read() as tx:
        assert tx.connection.execute(sa.select(tables.agency.c.announcement_counter)).scalar_one() == committed
    disk.free()
    with ledger.write() as tx:
        assert next_announcement_place(tx) == Place(1, committed + 1)
    assert ledger.writable
    ledger.check()
    ledger.close()


def test_a_ledger_on_a_full_disk_that_cannot_be_opened_is_unreachable_and_opens_later(disk: SmallDisk) -> None:
    path = disk.folder / "ledger.sqlite"
    create_ledger(path, AT, SENDER).close()
    disk.fill()
    with pytest.raises(Unreachable) as unreachable:
        _open(path)
    assert "the disk is full" in unreachable.value.advice
    disk.free()
    _open(path)


def test_somebody_who_writes_without_a_pause_keeps_nobody_out(ledger: Ledger) -> None:
    """As ingest does with a backlog, while a command wants to publish."""
    done, waits = threading.Event(), list[float]()
    other = open_ledger(ledger.path, AT, SENDER)

    def write_on_and_on() -> None:
        while not done.is_set():
            with other.write() as tx:
                next_announcement_place(tx)
                done.wait(0.1)
            done.wait(0.005)

    writer = threading.Thread(target=write_on_and_on)
    writer.start()
    for _ in range(10):
        began = time.monotonic()
        with ledger.write() as tx:
            next_announcement_place(tx)
        waits.append(time.monotonic() - began)
        done.wait(0.12)
    done.set()
    writer.join(PATIENCE_S)
    other.close()
    assert sorted(waits)[-2] < 0.5, "one of them may be the machine's"


def test_after_waiting_for_the_lock_a_connection_waits_as_before(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert tx.connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == BUSY_TIMEOUT_S * 1000


@pytest.mark.parametrize("when", ["before", "during"])
def test_nothing_is_accepted_into_a_ledger_that_a_backup_has_replaced_since_it_was_opened(
    when: str, ledger: Ledger, tmp_path: Path
) -> None:
    """The open file has no name any more: what is written there goes with the process."""
    backup = tmp_path / "backup.sqlite"
    ledger.back_up(backup)
    if when == "before":
        put_in_place(backup, ledger.path, SENDER)
    with pytest.raises(LedgerUnusable, match="open it anew"), ledger.write() as tx:
        assert next_announcement_place(tx) == Place(1, 1)
        if when == "during":
            put_in_place(backup, ledger.path, SENDER)
    again = open_ledger(ledger.path, AT, SENDER)
    with again.write() as tx:
        assert next_announcement_place(tx) == Place(1, 1)
    again.close()


def test_nothing_is_accepted_into_a_ledger_that_was_removed(ledger: Ledger) -> None:
    ledger.path.unlink()
    with pytest.raises(LedgerUnusable), ledger.write() as tx:
        next_announcement_place(tx)
