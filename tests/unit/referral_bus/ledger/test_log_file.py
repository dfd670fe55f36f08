"""The write-ahead log stays small: whoever reads for long holds it up, and it shrinks afterwards."""

import sqlite3
from contextlib import closing
from io import StringIO
from uuid import uuid4

from consumers.agency.maintenance import Keeper
from referral_bus.clock import system_clock
from referral_bus.ledger.log_file import keep_short, log_bytes
from referral_bus.ledger.own_events import Writing
from referral_bus.ledger.retention import Retention
from referral_bus.ledger.store import LOG_LIMIT, Ledger
from referral_bus.logs import make_log

MEGABYTE = 1024 * 1024


def _write_much(ledger: Ledger, megabytes: int = LOG_LIMIT // MEGABYTE + 2) -> None:
    for _ in range(megabytes):
        with ledger.write() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS filler (content BLOB)")
            tx.connection.exec_driver_sql("DELETE FROM filler")
            tx.connection.exec_driver_sql(f"INSERT INTO filler VALUES (zeroblob({MEGABYTE}))")  # noqa: S608


def _keeper(ledger: Ledger, lines: StringIO) -> Keeper:
    return Keeper(ledger, Retention(), lambda: Writing(system_clock(), 1, uuid4), make_log(lines, agency=ledger.code))


def test_the_log_shrinks_once_the_reader_that_held_it_up_has_gone(ledger: Ledger) -> None:
    lines = StringIO()
    keeper = _keeper(ledger, lines)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM agency").fetchall()
        _write_much(ledger)
        assert log_bytes(ledger) > LOG_LIMIT
        assert not keep_short(ledger)
        for _ in range(3):
            keeper.keep_log_short()
        assert lines.getvalue().count("ledger_log_held_up") == 1, "not at each look"
        reader.execute("ROLLBACK")
    keeper.keep_log_short()
    assert log_bytes(ledger) == 0


def test_a_short_log_is_left_alone(ledger: Ledger) -> None:
    _write_much(ledger, 1)
    before = log_bytes(ledger)
    assert 0 < before <= LOG_LIMIT
    assert keep_short(ledger)
    assert log_bytes(ledger) == before


def test_the_log_is_cut_by_the_next_writes_too_where_no_service_runs(ledger: Ledger) -> None:
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM agency").fetchall()
        _write_much(ledger)
        assert log_bytes(ledger) > LOG_LIMIT
    for _ in range(3):
        _write_much(ledger, 1)
    assert log_bytes(ledger) <= LOG_LIMIT


def test_without_a_log_there_is_nothing_to_do(ledger: Ledger) -> None:
    ledger.close()
    assert log_bytes(ledger) == 0
    assert keep_short(ledger)
