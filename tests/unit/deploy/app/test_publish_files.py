"""Files that are no referral: one line each, whatever is in them, and nothing written."""

import io
import json
from pathlib import Path

import pytest

from tests.kit.command import PLANTED, Command, assert_one_line, assert_refused
from tests.kit.homes import RECIPIENT
from tests.kit.people import request_document
from tests.unit.deploy.app.conftest import Federation

GOOD = json.dumps(request_document(RECIPIENT))
DEEP = "[" * 200_000
MEGABYTE = 1024 * 1024

FILES: dict[str, tuple[bytes, str, str | None]] = {
    "empty": (b"", "NOT_JSON", None),
    "blank": (b" \n\t\r\n", "NOT_JSON", None),
    "only a mark": (b"\xef\xbb\xbf", "NOT_JSON", "line 1, column 1"),
    "cut off": (GOOD[:-1].encode(), "NOT_JSON", f"line 1, column {len(GOOD)}"),
    "a word": (PLANTED.encode(), "NOT_JSON", "line 1, column 1"),
    "a text": (f'"{PLANTED}"'.encode(), "TYPE_WRONG", None),
    "null": (b"null", "TYPE_WRONG", None),
    "two documents": (f"{GOOD}\n{GOOD}".encode(), "NOT_JSON", "line 2, column 1"),
    "a comma too many": (f"[{GOOD},]".encode(), "NOT_JSON", f"line 1, column {len(GOOD) + 3}"),
    "an empty list": (b"[]", "VALUE_REFUSED", None),
    "a list in a list": (f"[[{GOOD}]]".encode(), "TYPE_WRONG", "[0]"),
    "more than 500": (f"[{','.join([GOOD] * 501)}]".encode(), "TOO_LARGE", None),
    "binary": (bytes(range(256)) * 8, "NOT_JSON", "line 2, column 118"),
    "UTF-16": (GOOD.encode("utf-16"), "NOT_JSON", "line 1, column 1"),
    "Windows-1251": (
        GOOD.replace("Sinovova", "Синовова").encode("cp1251", "replace"),
        "NOT_JSON",
        "line 1, column 164",
    ),
    "zero bytes": (bytes(4096), "NOT_JSON", "line 1, column 1"),
    "half a letter": (GOOD.replace("Sinovova", "\\ud83d").encode(), "VALUE_REFUSED", None),
    "deep lists": (DEEP.encode(), "NOT_JSON", None),
    "deep objects": (('{"body":' * 200_000).encode(), "NOT_JSON", None),
    "deep inside": (GOOD.replace('"urgent"', DEEP + "]" * 200_000).encode(), "NOT_JSON", None),
    "a big number": (GOOD.replace('"urgent"', "7" * 4000).encode(), "TYPE_WRONG", "priority"),
    "a huge number": (GOOD.replace('"urgent"', "7" * 100_000).encode(), "NOT_JSON", "line 1, column 1"),
    "17 MB": (b" " * (17 * MEGABYTE) + GOOD.encode(), "TOO_LARGE", None),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_referral_is_refused_in_one_line(
    name: str, federation: Federation, command: Command, tmp_path: Path
) -> None:
    content, reason, path = FILES[name]
    file = tmp_path / f"{PLANTED}.json"
    file.write_bytes(content)
    before = federation.sender.rows()
    said = command(federation.sender, "publish", file)
    assert federation.sender.rows() == before
    assert_refused(said, reason, path)


def test_of_an_empty_object_every_field_that_is_missing_is_named(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "empty.json"
    file.write_text("{}", encoding="utf-8")
    said = command(federation.sender, "publish", file)
    assert (said.code, said.out) == (2, "")
    lines = [line.removeprefix("referral-bus: ").split(":")[0] for line in said.err.splitlines()]
    assert lines == [f"FIELD_MISSING at {field}" for field in ("recipient", "priority", "body")]


def test_of_a_huge_file_only_the_beginning_is_read(federation: Federation, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "huge.json"
    with file.open("wb") as sparse:
        sparse.truncate(100 * MEGABYTE)
    assert_refused(command(federation.sender, "publish", file), "TOO_LARGE")
    assert_refused(command(federation.sender, "publish", "/dev/zero"), "TOO_LARGE")


def test_what_is_no_file_is_refused(federation: Federation, command: Command, tmp_path: Path) -> None:
    assert_refused(command(federation.sender, "publish", tmp_path / PLANTED), "FILE_UNREADABLE")
    (tmp_path / PLANTED).mkdir()
    assert_refused(command(federation.sender, "publish", tmp_path / PLANTED), "NOT_JSON")


def test_a_file_name_that_the_system_cannot_take_is_unreachable(federation: Federation, command: Command) -> None:
    said = command(federation.sender, "publish", PLANTED * 1000)
    assert_one_line(said)
    assert said.code == 3


TWICE = [
    ('"priority": "urgent"', '"priority": "routine", "priority": "urgent"', "priority"),
    ('"priority": "urgent"', f'"priority": {"7" * 4000}, "priority": "urgent"', "priority"),
    (
        '"may_leave_message": false',
        '"may_leave_message": true, "may_leave_message": false',
        "body.safe_contact.may_leave_message",
    ),
    ('"kind": "consent"', '"\\u006bind": "assent-with-caregiver", "kind": "consent"', "body.consent.kind"),
]


@pytest.mark.parametrize(("once", "twice", "where"), TWICE, ids=["clear", "dropped number", "nested", "escaped name"])
def test_a_field_that_stands_there_twice_is_refused_and_not_guessed_at(
    once: str, twice: str, where: str, federation: Federation, command: Command, tmp_path: Path
) -> None:
    """JSON readers take the last one and say nothing: whether a message may be left must not hang on that."""
    file = tmp_path / "twice.json"
    for before, after, prefix in (("", "", ""), (f"[{GOOD},", "]", "[1].")):
        file.write_text(before + GOOD.replace(once, twice) + after)
        assert_refused(command(federation.sender, "publish", file), "VALUE_REFUSED", f"{prefix}{where}")


def test_a_mark_that_an_editor_puts_first_is_passed_over(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "marked.json"
    file.write_text(GOOD, encoding="utf-8-sig")
    assert command(federation.sender, "publish", file).code == 0


@pytest.mark.parametrize(("content", "code"), [(GOOD.encode(), 0), (GOOD[1:].encode(), 2)])
def test_standard_input_is_read_like_a_file(
    content: bytes, code: int, federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    said = command(federation.sender, "publish", "-")
    assert said.code == code
    if code:
        assert_refused(said, "NOT_JSON", "line 1, column 12")
