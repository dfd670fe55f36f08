"""What is released is frozen, and the newest version of each record fits every released one."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.releases import SUMS, release_findings, shipped_findings
from tests.kit.schemas.evolving import GONE, TREE, edited, with_field

FIRST, SECOND, THIRD = "Tree.v1.avsc", "Tree.v2.avsc", "Tree.v10.avsc"
NOTED = with_field(TREE, "note", ["null", "string"], default=None)
TAGGED = with_field(NOTED, "tag", ["null", "string"], default=None)


def content(schema: Any) -> bytes:
    return json.dumps(schema).encode()


def frozen(**schemas: Any) -> dict[str, bytes]:
    """The folder `released` with its sums. `v1=TREE` is the first version of Tree."""
    files = {f"Tree.{version}.avsc": content(schema) for version, schema in schemas.items()}
    sums = "".join(f"{hashlib.sha256(each).hexdigest()}  {name}\n" for name, each in files.items())
    return {**files, SUMS: sums.encode()}


def found(shipped: dict[str, bytes], released: dict[str, bytes], final: bool = False) -> list[tuple[str, str]]:
    return [(each.file, each.kind) for each in release_findings(shipped, released, final)]


def test_what_we_ship_fits_what_is_released() -> None:
    assert [str(finding) for finding in shipped_findings()] == []


def test_before_the_first_release_everything_may_change() -> None:
    assert found({FIRST: content(TREE)}, {}) == []


def test_a_released_version_and_a_newer_draft_of_it_stand_side_by_side() -> None:
    assert found({FIRST: content(TREE)}, frozen(v1=TREE)) == []
    assert found({FIRST: content(TREE), SECOND: content(NOTED)}, frozen(v1=TREE)) == []
    assert found({FIRST: content(TREE), SECOND: content(NOTED)}, frozen(v1=TREE, v2=NOTED), final=True) == []


def test_the_newest_version_is_checked_beside_every_released_one() -> None:
    shipped = {FIRST: content(TREE), SECOND: content(NOTED), THIRD: content(edited(TAGGED, "height", avro="int"))}
    assert found(shipped, frozen(v1=TREE, v2=NOTED)) == [
        (f"avro/{THIRD} beside {FIRST}", "type_promoted"),
        (f"avro/{THIRD} beside {SECOND}", "type_promoted"),
    ]


def test_a_version_that_fits_the_last_but_not_the_first_is_refused() -> None:
    """A field that came with a default lost it again: only the first version shows it."""
    undone = edited(TAGGED, "note", default=GONE)
    shipped = {FIRST: content(TREE), SECOND: content(NOTED), THIRD: content(undone)}
    assert found(shipped, frozen(v1=TREE, v2=NOTED)) == [(f"avro/{THIRD} beside {FIRST}", "added_without_default")]


def test_a_released_copy_that_was_edited_is_noticed_down_to_a_blank() -> None:
    released = frozen(v1=TREE)
    released[FIRST] += b"\n"
    assert found({FIRST: released[FIRST]}, released) == [(f"released/{FIRST}", "snapshot_edited")]


def test_a_released_copy_that_is_gone_is_noticed() -> None:
    released = {SUMS: frozen(v1=TREE)[SUMS]}
    assert found({FIRST: content(TREE)}, released) == [(f"released/{FIRST}", "snapshot_lost")]


def test_a_released_copy_without_its_sum_is_noticed() -> None:
    assert found({FIRST: content(TREE)}, {FIRST: content(TREE)}) == [(f"released/{FIRST}", "snapshot_unlisted")]


@pytest.mark.parametrize("line", [b"no sum\n", b"\xff\n", b"00  Tree.v1.avsc\n"])
def test_a_list_of_sums_that_cannot_be_read_is_noticed(line: bytes) -> None:
    released = frozen(v1=TREE)
    released[SUMS] += line
    assert found({FIRST: content(TREE)}, released) == [(f"released/{SUMS}", "sums_unreadable")]


def test_a_released_version_is_shipped_as_it_was_released() -> None:
    assert found({}, frozen(v1=TREE)) == [(f"avro/{FIRST}", "version_lost")]
    assert found({FIRST: content(NOTED)}, frozen(v1=TREE)) == [(f"avro/{FIRST}", "version_edited")]


def test_a_version_behind_the_newest_has_been_released() -> None:
    shipped = {FIRST: content(TREE), SECOND: content(NOTED), THIRD: content(TAGGED)}
    assert found(shipped, frozen(v1=TREE)) == [(f"released/{SECOND}", "snapshot_missing")]


def test_on_the_day_of_a_release_nothing_is_a_draft() -> None:
    shipped = {FIRST: content(TREE), SECOND: content(NOTED)}
    assert found(shipped, frozen(v1=TREE), final=True) == [(f"released/{SECOND}", "snapshot_missing")]
    assert found({FIRST: content(TREE)}, {}, final=True) == [(f"released/{FIRST}", "snapshot_missing")]


@pytest.mark.parametrize(
    ("name", "text"), [("Tree.avsc", content(TREE)), ("Tree.v0.avsc", content(TREE)), (FIRST, b"{")]
)
def test_a_file_that_is_no_schema_of_a_version_is_noticed(name: str, text: bytes) -> None:
    assert (f"avro/{name}", "not_a_schema") in found({name: text}, {})


def test_findings_are_one_line_with_the_command_that_helps() -> None:
    (missing,) = release_findings({FIRST: content(TREE)}, {}, final=True)
    assert str(missing) == (
        f"released/{FIRST}: snapshot_missing: freeze it: mkdir -p schemas/released && cp schemas/avro/{FIRST} "
        f"schemas/released/ && (cd schemas/released && sha256sum {FIRST} >> SHA256SUMS)"
    )
    shipped = {FIRST: content(TREE), SECOND: content(edited(NOTED, "height", avro="int"))}
    (unfit,) = release_findings(shipped, frozen(v1=TREE))
    assert str(unfit).startswith(f"avro/{SECOND} beside {FIRST}: Tree.height: type_promoted: long became int; ")


def test_the_command_that_makes_a_missing_copy_makes_it(tmp_path: Path) -> None:
    avro, released = tmp_path / "schemas" / "avro", tmp_path / "schemas" / "released"
    avro.mkdir(parents=True)
    for name, schema in ((FIRST, TREE), (SECOND, NOTED)):
        (avro / name).write_bytes(content(schema))
    for finding in release_findings(folder(avro), {}, final=True):
        command = finding.advice.removeprefix("freeze it: ")
        subprocess.run(["sh", "-c", command], cwd=tmp_path, env=dict(os.environ), check=True)
    assert release_findings(folder(avro), folder(released), final=True) == ()


def folder(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir()}
