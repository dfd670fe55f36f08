"""One dialect and one store of compiled statements for all databases of a process."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import Compiled

from referral_bus.sqlite_engine import sqlite_engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _engine(path: Path) -> sa.Engine:
    path.touch()
    return sqlite_engine(path, 5.0, ("journal_mode=WAL",), _begin)


def test_a_statement_is_compiled_once_for_all_databases_of_a_process(tmp_path: Path) -> None:
    statement = sa.select(sa.literal_column("17", sa.Integer).label("only_in_this_test"))
    compiled: list[Compiled] = []

    for name in ("one", "other"):
        engine = _engine(tmp_path / name)

        @event.listens_for(engine, "after_execute")
        def remember(*arguments: Any) -> None:
            compiled.append(arguments[-1].context.compiled)

        with engine.connect() as tx:
            assert tx.execute(statement).scalar_one() == 17
        engine.dispose()

    assert len(compiled) == 2
    assert compiled[0] is compiled[1]


def test_each_engine_reads_and_prepares_its_own_file(tmp_path: Path) -> None:
    engines = [_engine(tmp_path / name) for name in ("one", "other")]
    for number, engine in enumerate(engines):
        with engine.begin() as tx:
            tx.exec_driver_sql("CREATE TABLE place (number INTEGER)")
            tx.exec_driver_sql("INSERT INTO place VALUES (?)", (number,))

    for number, engine in enumerate(engines):
        with engine.begin() as tx:
            assert tx.exec_driver_sql("SELECT number FROM place").scalar_one() == number
            assert tx.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        engine.dispose()
