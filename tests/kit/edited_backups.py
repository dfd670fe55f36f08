"""Backups that were edited by a hand without the home's keys: what a thief of the backup disk can make of one."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_MAC = 32  # bytes at the end
Edit = Callable[[Path], None]


def _as_database(backup: Path, *statements: str) -> None:
    """Edits the ledger inside, and leaves the first line and the MAC as they were."""
    first, _, rest = backup.read_bytes().partition(b"\n")
    inside = backup.with_name(f"{backup.name}.inside")
    inside.write_bytes(rest[:-_MAC])
    with closing(sqlite3.connect(inside)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")
    backup.write_bytes(first + b"\n" + inside.read_bytes() + rest[-_MAC:])
    inside.unlink()


TRIGGER = "CREATE TRIGGER planted AFTER UPDATE ON agency BEGIN DELETE FROM referrals; END"
VIEW = ("ALTER TABLE events RENAME TO hidden", "CREATE VIEW events AS SELECT * FROM hidden")
ENDLESS = (
    "ALTER TABLE alembic_version RENAME TO hidden_version",
    "CREATE VIEW alembic_version AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) "
    "SELECT CAST(max(i) AS TEXT) AS version_num FROM n",
)


def another_announcement(backup: Path) -> None:
    """As if another agency had announced other keys, and a far counter."""
    _as_database(backup, "UPDATE peers SET counter = counter + 1000000, announcement = x'00'")


def a_trigger(backup: Path) -> None:
    _as_database(backup, TRIGGER)


def a_view_for_a_table(backup: Path) -> None:
    _as_database(backup, *VIEW)


def a_view_without_end(backup: Path) -> None:
    _as_database(backup, *ENDLESS)


def one_bit(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    backup.write_bytes(content)


def cut_short(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:-4096])


def with_more_behind(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes() + bytes(4096))


def without_a_mac(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes().partition(b"\n")[2][:-_MAC])


EDITS: tuple[Edit, ...] = (
    another_announcement,
    a_trigger,
    a_view_for_a_table,
    a_view_without_end,
    one_bit,
    cut_short,
    with_more_behind,
    without_a_mac,
)
