"""SQLite through SQLAlchemy, for the agency's ledger and the monitor's database."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import Connection, event
from sqlalchemy.util import LRUCache

COMPILED_STATEMENTS = 1000


def sqlite_engine(
    path: Path, busy_timeout_s: float, pragmas: Sequence[str], begin: Callable[[Connection], None], **pool: int
) -> sa.Engine:
    """An engine for one database file, which must exist. `pragmas` are set on each new connection; `begin` begins each
    transaction; `pool` holds the pool's sizes by the names that `sa.create_engine` gives them. All engines of a process
    share one dialect and its compiled statements: compiling takes longer than SQLite takes to answer."""
    url = sa.URL.create("sqlite", database=sqlite_uri(path), query={"uri": "true"})
    arguments = {"isolation_level": None, "timeout": busy_timeout_s, "check_same_thread": False}
    connections = sa.create_pool_from_url(url, connect_args=arguments, **pool)
    shared = _shared()
    engine = sa.Engine(connections, shared.dialect, url, hide_parameters=True)
    engine.update_execution_options(compiled_cache=shared.get_execution_options()["compiled_cache"])

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def sqlite_uri(path: Path) -> str:
    """The URI that opens a database without ever making it (mode=rw)."""
    return f"file:{quote(str(path))}?mode=rw"


@cache
def _shared() -> sa.Engine:
    """An engine that only holds the shared dialect and cache. SQLAlchemy completes a dialect at the first
    connection."""
    engine = sa.create_engine("sqlite://", execution_options={"compiled_cache": LRUCache(COMPILED_STATEMENTS)})
    engine.connect().close()
    return engine
