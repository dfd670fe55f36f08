"""What stands in the database file: nothing that says anything about a person, readable without the home's key."""

import base64
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from referral_bus.errors import LedgerUnusable
from referral_bus.ledger.at_rest import AtRest
from schemas.events import ReferralKey
from tests.kit.bench import Bench, bench
from tests.kit.people import PLANTED_NAME, PLANTED_NEED, RECIPIENT, SENDER

PLANTED_CASE = "PLANTED-CASE-5519"
PLANTED_WORD = "PLANTED-WORD-8842 will come on Thursday"
PLANTED_IDEMPOTENCY = "PLANTED-KEY-3317"
PLANTED = (PLANTED_NAME, PLANTED_NEED, PLANTED_CASE, PLANTED_WORD, PLANTED_IDEMPOTENCY, "Test caseworker")


def _spellings(text: str) -> Iterator[bytes]:
    """A text as it could stand somewhere; base64 at each of its three alignments, without its uncertain ends."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
        yield text.encode(encoding)
    yield text.encode().hex().encode()
    yield text.encode("unicode_escape")
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + text.encode())
        yield encoded[4 if shift else 0 : -4]


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file beside the ledger, its WAL included, and every value in every column."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield path.name, path.read_bytes()
    for path in sorted(folder.glob("*.sqlite")):
        connection = sqlite3.connect(path)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f"SELECT * FROM {name}"):  # noqa: S608 # our own tables
                for value in row:
                    yield f"{path.name}:{name}", value if isinstance(value, bytes) else str(value).encode()
        connection.close()


def _exchange(made: Bench) -> UUID:
    """Planted texts in everything that an agency can say."""
    referral_id = made[SENDER].refer(RECIPIENT, local_ref=PLANTED_CASE, idempotency_key=PLANTED_IDEMPOTENCY)
    made.settle()
    made[RECIPIENT].say("ask", referral_id, text=PLANTED_WORD)
    made[SENDER].say("answer", referral_id, text=PLANTED_WORD)
    made.settle()
    made[RECIPIENT].say("accept", referral_id, text=PLANTED_WORD)
    made.settle()
    return referral_id


def test_no_planted_text_stands_in_a_file_a_wal_or_a_column_in_any_spelling(tmp_path: Path) -> None:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        referral_id = _exchange(made)
        contents = list(_contents(tmp_path))
        assert {f"{SENDER}.sqlite-wal", f"{RECIPIENT}.sqlite-wal"} <= {name for name, _ in contents}
        assert made[RECIPIENT].history(referral_id)[0].body is not None
    contents += _contents(tmp_path)  # closed, the WAL is part of the file
    for text in PLANTED:
        for spelling in _spellings(text):
            assert [name for name, content in contents if spelling.lower() in content.lower()] == []


def test_the_search_would_find_a_planted_text(tmp_path: Path) -> None:
    for number, spelling in enumerate(_spellings(PLANTED_NAME)):
        (tmp_path / str(number)).write_bytes(b"--" + spelling + b"--")
    connection = sqlite3.connect(tmp_path / "x.sqlite")
    connection.execute("CREATE TABLE t AS SELECT ? AS c", (PLANTED_NEED,))
    connection.commit()
    connection.close()
    contents = list(_contents(tmp_path))
    for spelling in _spellings(PLANTED_NAME):
        assert any(spelling in content for _, content in contents)
    assert ("x.sqlite:t", PLANTED_NEED.encode()) in contents


def test_the_same_case_number_has_one_digest_for_each_home_and_purpose() -> None:
    ours, theirs = AtRest(bytes(32)), AtRest(b"\x01" * 32)
    assert ours.digest("local_ref", b"17") == ours.digest("local_ref", b"17")
    others = {theirs.digest("local_ref", b"17"), ours.digest("request", b"17"), ours.digest("local_ref", b"18")}
    assert len(others | {ours.digest("local_ref", b"17")}) == 4


def test_a_body_opens_only_in_its_own_referral_with_its_own_key_and_home() -> None:
    at_rest, here, there = AtRest(bytes(32)), ReferralKey(SENDER, uuid4()), ReferralKey(SENDER, uuid4())
    wrapped = at_rest.new_key(here)
    body = at_rest.encrypt(wrapped, here, "event 1", b"a body")
    assert at_rest.decrypt(wrapped, here, "event 1", body) == b"a body"
    for home, key, referral, of in (
        (AtRest(b"\x01" * 32), wrapped, here, "event 1"),
        (at_rest, at_rest.new_key(here), here, "event 1"),
        (at_rest, wrapped, there, "event 1"),
        (at_rest, wrapped, here, "event 2"),
    ):
        with pytest.raises(LedgerUnusable):
            home.decrypt(key, referral, of, body)


def test_the_same_body_never_has_the_same_bytes() -> None:
    at_rest, referral = AtRest(bytes(32)), ReferralKey(SENDER, uuid4())
    wrapped = at_rest.new_key(referral)
    assert at_rest.encrypt(wrapped, referral, "it", b"a body") != at_rest.encrypt(wrapped, referral, "it", b"a body")
