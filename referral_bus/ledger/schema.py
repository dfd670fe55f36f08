"""Makes the ledger's tables by migrations, and checks that a file has exactly those: a trigger or a view that was added
by hand would change what this software writes."""

import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from referral_bus.sqlite_errors import DAMAGED

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
Schema = frozenset[tuple[str, str, str, str | None]]


def migrate(tx: Connection, revision: str = "head") -> None:
    """Brings the tables to this revision, by default the newest. Raises alembic's `CommandError` for a ledger of newer
    software."""
    config = _config()
    config.attributes["connection"] = tx
    command.upgrade(config, revision)


def is_ours(connection: sqlite3.Connection) -> bool:
    """Whether the schema is that of one of our revisions, with nothing added. Reads the schema only, and no table."""
    connection.execute("PRAGMA trusted_schema = OFF")
    found = Schema(connection.execute(_SCHEMA).fetchall())
    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    return any(found == _made_by(each.revision) for each in revisions)


def is_whole(path: Path, code: str, *, alone: bool) -> bool:
    """Whether a file is a ledger of the agency `code` with our tables and a sound structure. With `alone` no process
    may have it open: SQLite then makes no file beside it. Raises `sqlite3.Error` for other trouble."""
    how = "mode=ro&immutable=1" if alone else "mode=rw"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as connection:
            if not is_ours(connection) or connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                return False
            return bool(connection.execute("SELECT code FROM agency").fetchall() == [(code,)])
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_ERROR, *DAMAGED):
            return False
        raise


@cache
def _made_by(revision: str) -> Schema:
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as tx:
            migrate(tx, revision)
            return Schema(tuple(row) for row in tx.exec_driver_sql(_SCHEMA))
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "referral_bus.ledger:migrations")
    return config
