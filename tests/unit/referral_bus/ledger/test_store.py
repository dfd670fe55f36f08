"""Opening a ledger and writing to it: whose it is, its tables, and many writers at once."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from referral_bus.errors import Reason, Refused, Unreachable
from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import AtRest
from referral_bus.ledger.own_agency import next_announcement_place, own_incarnation
from referral_bus.ledger.store import Ledger, open_ledger
from schemas.events import Place
from tests.kit.made_once import AT_REST
from tests.kit.people import RECIPIENT, SENDER


def _counter(ledger: Ledger) -> int:
    with ledger.read() as tx:
        return int(tx.connection.execute(sa.select(tables.agency.c.announcement_counter)).scalar_one())


def test_the_migrated_schema_is_the_schema_of_the_tables(ledger: Ledger) -> None:
    with ledger.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables.metadata) == []


def test_the_migrated_schema_has_every_key_and_partial_index_of_the_tables(ledger: Ledger, tmp_path: Path) -> None:
    """What Alembic does not compare: primary keys, AUTOINCREMENT and the conditions of indexes."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'direct.sqlite'}")
    tables.metadata.create_all(engine)
    query = sa.text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
    with engine.connect() as direct, ledger.read() as tx:
        wanted, migrated = (
            {row.name: _words(row.sql) for row in each.execute(query)} for each in (direct, tx.connection)
        )
    engine.dispose()
    assert migrated == wanted


def _words(sql: str) -> list[str]:
    """In any order: Alembic writes constraints and columns in another one."""
    return sorted(sql.replace("(", " ").replace(")", " ").replace(",", " ").split())


def test_a_ledger_is_opened_again_with_what_it_held(ledger: Ledger) -> None:
    with ledger.write() as tx:
        assert next_announcement_place(tx) == Place(1, 1)
    again = open_ledger(ledger.path, AtRest(AT_REST), SENDER)
    assert _counter(again) == 1
    again.close()


def test_another_agencys_ledger_is_refused_and_stays_as_it_is(ledger: Ledger) -> None:
    with pytest.raises(Refused) as refused:
        open_ledger(ledger.path, AtRest(AT_REST), RECIPIENT)
    assert refused.value.reason is Reason.HOME_INVALID
    with ledger.read() as tx:
        assert tx.connection.execute(sa.select(tables.agency.c.code)).scalar_one() == SENDER


def test_a_folder_in_its_place_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as unreachable:
        open_ledger(tmp_path, AtRest(AT_REST), SENDER)
    assert unreachable.value.reason is Reason.LEDGER_UNREACHABLE


def test_a_transaction_that_fails_in_the_middle_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.write() as tx:
        next_announcement_place(tx)
        raise ZeroDivisionError
    assert _counter(ledger) == 0


def test_what_is_committed_survives_and_what_is_deleted_leaves_the_file(ledger: Ledger) -> None:
    with ledger.read() as tx:
        asked = ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        found = [tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in asked]
    assert found == ["wal", 2, 1, 1]


def test_a_reader_holds_nobody_up_and_sees_one_moment(ledger: Ledger) -> None:
    with ledger.read() as reading:
        query = sa.select(tables.agency.c.announcement_counter)
        before = reading.connection.execute(query).scalar_one()
        with ledger.write() as tx:
            next_announcement_place(tx)
        assert reading.connection.execute(query).scalar_one() == before
    assert _counter(ledger) == before + 1


WRITER = dedent(
    """
    import sys
    from pathlib import Path
    from referral_bus.ledger.at_rest import AtRest
    from referral_bus.ledger.own_agency import next_announcement_place
    from referral_bus.ledger.own_agency import own_incarnation
    from referral_bus.ledger.store import open_ledger
    ledger = open_ledger(Path(sys.argv[1]), AtRest(bytes.fromhex(sys.argv[2])), sys.argv[3])
    for _ in range(int(sys.argv[4])):
        with ledger.write() as tx:
            own_incarnation(tx)
            next_announcement_place(tx)
            if sys.argv[5:]:
                print("in the middle", flush=True)
                sys.stdin.read()
    """
)


def _writer(ledger: Ledger, times: int, *more: str) -> subprocess.Popen[str]:
    """Another process that writes to the same ledger."""
    arguments = [str(ledger.path), AT_REST.hex(), SENDER, str(times), *more]
    root = Path(tables.__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments],
        text=True,
        cwd=root,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_two_threads_and_another_process_write_at_once_and_none_is_locked_out(ledger: Ledger) -> None:
    places: list[Place] = []
    process = _writer(ledger, 100)

    def write() -> None:
        for _ in range(100):
            with ledger.write() as tx:
                own_incarnation(tx)  # read first, then written: what a deferred transaction fails on
                places.append(next_announcement_place(tx))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.communicate()
    assert process.returncode == 0
    assert len(set(places)) == 200
    assert _counter(ledger) == 300


def test_a_process_killed_in_the_middle_of_a_transaction_leaves_nothing_and_holds_nothing(ledger: Ledger) -> None:
    process = _writer(ledger, 1, "wait")
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert _counter(ledger) == 0
    with ledger.write() as tx:
        assert next_announcement_place(tx) == Place(1, 1)
