"""The search for traces finds what is there: it would else prove nothing."""

import base64
import gzip
import json
import sqlite3
import zlib
from pathlib import Path

import pytest
import zstandard

from tests.kit.people import PLANTED_NAME
from tests.kit.traces import traces

AROUND = b"something before it %s and after it"
LEFT = {
    "raw": PLANTED_NAME.encode(),
    "escaped": json.dumps(PLANTED_NAME).encode(),
    "utf-16": PLANTED_NAME.encode("utf-16"),
    "hex": PLANTED_NAME.encode().hex().encode(),
    "base64": base64.b64encode(b"name: " + PLANTED_NAME.encode() + b" (synthetic)"),
    "base64, shifted": base64.b64encode(b"a name: " + PLANTED_NAME.encode() + b" (synthetic)"),
    "base64, shifted more": base64.b64encode(b"the name:" + PLANTED_NAME.encode() + b" (synthetic)"),
    "zlib": zlib.compress(AROUND % PLANTED_NAME.encode()),
    "gzip": gzip.compress(AROUND % PLANTED_NAME.encode()),
    "zstd": zstandard.compress(AROUND % PLANTED_NAME.encode()),
    "one word of it": PLANTED_NAME.split()[-1].encode(),
}


@pytest.mark.parametrize("form", LEFT)
def test_a_planted_name_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file.bin").write_bytes(bytes(range(256)) + LEFT[form] + bytes(4096))
    assert traces([tmp_path], PLANTED_NAME)


def test_it_is_found_in_a_database_and_its_write_ahead_log(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "some.sqlite")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE people (name)")
    connection.execute("INSERT INTO people VALUES (?)", (PLANTED_NAME,))
    connection.commit()
    assert any("wal" in trace for trace in traces([tmp_path], PLANTED_NAME))
    connection.close()
    assert traces([tmp_path], PLANTED_NAME)


def test_where_it_is_not_nothing_is_found(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(zlib.compress(b"another name") + bytes(range(256)) * 100)
    assert traces([tmp_path], PLANTED_NAME) == []
