"""Checks that released schemas stay as they were: the copies in `released/` against their checksums, and the schemas in
`avro/` against those copies."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal

from schemas.evolution import evolution_findings
from schemas.evolution_advice import EvolutionKind
from schemas.schema_shape import NotASchema, parse_avsc

SUMS = "SHA256SUMS"

SnapshotKind = Literal[
    "snapshot_missing",
    "snapshot_lost",
    "snapshot_edited",
    "snapshot_unlisted",
    "sums_unreadable",
    "version_lost",
    "version_edited",
    "not_a_schema",
]

_ADVICE: MappingProxyType[SnapshotKind, str] = MappingProxyType(
    {
        "snapshot_missing": "freeze it: mkdir -p schemas/released && cp schemas/avro/{0} schemas/released/ && "
        "(cd schemas/released && sha256sum {0} >> SHA256SUMS)",
        "snapshot_lost": "bring the released copy back: git checkout -- schemas/released/{0}",
        "snapshot_edited": "a released copy never changes, make a new version: git checkout -- schemas/released/{0}",
        "snapshot_unlisted": "a released copy comes with its sum: (cd schemas/released && sha256sum {0} >> SHA256SUMS)",
        "sums_unreadable": "each line is a SHA-256 sum and a file name: git checkout -- schemas/released/{0}",
        "version_lost": "readers need every released version: cp schemas/released/{0} schemas/avro/",
        "version_edited": "a released version never changes, make a new one: cp schemas/released/{0} schemas/avro/",
        "not_a_schema": "it is not named RECORD.vN.avsc, or holds no Avro schema",
    }
)

_NAME = re.compile(r"(?P<record>[A-Za-z]+)\.v(?P<version>[1-9][0-9]*)\.avsc")
_LINE = re.compile(r"(?P<sum>[0-9a-f]{64}) [ *](?P<name>[A-Za-z0-9.]+)")


@dataclass(frozen=True, slots=True)
class ReleaseFinding:
    """One mistake. `file` is below `schemas/`; `path` is within the schema, and empty for the file as a whole."""

    file: str
    path: str
    kind: SnapshotKind | EvolutionKind
    advice: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.path, self.kind, self.advice) if part)


def shipped_findings(final: bool = False) -> tuple[ReleaseFinding, ...]:
    """The findings for the files of this package; `final` is as for `release_findings`."""
    return release_findings(_files("avro"), _files("released"), final)


def anything_released() -> bool:
    return bool(_files("released"))


def release_findings(
    shipped: Mapping[str, bytes], released: Mapping[str, bytes], final: bool = False
) -> tuple[ReleaseFinding, ...]:
    """What is wrong with the files of `avro/` (`shipped`) and of `released/`, both by name. The newest version of a
    record may be a draft, that is without a released copy; with `final`, as on the day of a release, none may.
    """
    copies = {name: content for name, content in released.items() if name != SUMS}
    found = [*_sums(copies, released.get(SUMS, b"")), *_copies(shipped, copies, final)]
    if not found:
        found = [*_evolution(shipped, copies)]
    return tuple(found)


def _sums(copies: Mapping[str, bytes], sums: bytes) -> Iterator[ReleaseFinding]:
    """Compares the released copies with the list of their checksums."""
    lines = [_LINE.fullmatch(line) for line in sums.decode("utf-8", "replace").splitlines()]
    if None in lines:
        yield _finding(f"released/{SUMS}", "sums_unreadable")
    listed = {line["name"]: line["sum"] for line in lines if line}
    for name in sorted(listed.keys() | copies.keys()):
        if name not in copies:
            yield _finding(f"released/{name}", "snapshot_lost")
        elif name not in listed:
            yield _finding(f"released/{name}", "snapshot_unlisted")
        elif hashlib.sha256(copies[name]).hexdigest() != listed[name]:
            yield _finding(f"released/{name}", "snapshot_edited")


def _copies(shipped: Mapping[str, bytes], copies: Mapping[str, bytes], final: bool) -> Iterator[ReleaseFinding]:
    """Compares the versions that our software reads and writes with the released copies."""
    for folder, files in (("avro", shipped), ("released", copies)):
        for name, content in sorted(files.items()):
            if not _NAME.fullmatch(name) or not _is_schema(content):
                yield _finding(f"{folder}/{name}", "not_a_schema")
    newest = _newest(shipped)
    for name in sorted(shipped.keys() | copies.keys()):
        if name not in shipped:
            yield _finding(f"avro/{name}", "version_lost")
        elif name not in copies and (final or name not in newest.values()):
            yield _finding(f"released/{name}", "snapshot_missing")
        elif shipped[name] != copies.get(name, shipped[name]):
            yield _finding(f"avro/{name}", "version_edited")


def _evolution(shipped: Mapping[str, bytes], copies: Mapping[str, bytes]) -> Iterator[ReleaseFinding]:
    """Checks the newest version of each record for compatibility with every released one."""
    newest = _newest(shipped)
    for name, content in sorted(copies.items()):
        file = newest[_record(name)]
        if file != name:
            old, new = (parse_avsc(each)[0] for each in (content, shipped[file]))
            for finding in evolution_findings(old, new):
                yield ReleaseFinding(f"avro/{file} beside {name}", finding.path, finding.kind, finding.advice)


def _newest(files: Mapping[str, bytes]) -> dict[str, str]:
    """For each record the name of the file with its highest version."""
    named = sorted((match for name in files if (match := _NAME.fullmatch(name))), key=lambda each: int(each["version"]))
    return {match["record"]: match.string for match in named}


def _record(name: str) -> str:
    return name.partition(".")[0]


def _is_schema(content: bytes) -> bool:
    try:
        parse_avsc(content)
    except NotASchema:
        return False
    return True


def _finding(file: str, kind: SnapshotKind) -> ReleaseFinding:
    return ReleaseFinding(file, "", kind, _ADVICE[kind].format(file.rpartition("/")[2]))


def _files(folder: str) -> dict[str, bytes]:
    """The files of one folder by name; none where it does not exist, as `released` before the first release."""
    place = resources.files("schemas") / folder
    return {file.name: file.read_bytes() for file in place.iterdir()} if place.is_dir() else {}
