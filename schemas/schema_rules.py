"""The rules that every Avro schema of ours keeps (docs/evolution.md). A finding is a path and the rule broken there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.forbidden import forbidden_themes

Finding = tuple[str, str]


def schema_findings(schema: Any) -> list[Finding]:
    """The findings for one schema, as parsed JSON."""
    return list(dict.fromkeys(_Rules().judge(schema, "", ())))


def fingerprint_findings(schemas: Mapping[str, Any]) -> list[Finding]:
    """Schemas that have the same fingerprint, so that a reader cannot tell them apart: a fingerprint does not cover
    docs, defaults and logical types. `schemas` are parsed JSON by file name."""
    owners: dict[str, str] = {}
    findings = []
    for name, schema in schemas.items():
        owner = owners.setdefault(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"), name)
        if owner != name:
            findings.append((name, f"same fingerprint as {owner}"))
    return findings


@dataclass(frozen=True, slots=True)
class _Rules:
    """One walk through a schema. `sizes` holds the fewest bytes that a value of each named type met so far takes."""

    sizes: dict[str, int] = field(default_factory=dict)

    def judge(self, node: Any, path: str, inside: tuple[str, ...]) -> Iterator[Finding]:
        """`inside` names the records around this node; a node that names one of them is recursion."""
        match node:
            case str():
                if node.rpartition(".")[2] in inside:
                    yield path, "recursion"
            case list():
                yield from self._union(node, path, inside)
            case {"type": "record"}:
                yield from self._record(node, inside)
            case {"type": "array", "items": items}:
                yield from self.judge(items, f"{path}[]", inside)
                if self._fewest_bytes(items) == 0:
                    yield path, "array of items that take no bytes"
            case {"type": "map" | "enum" as kind}:
                yield path, kind
            case {"type": "fixed", "name": name, "size": size}:
                yield from _words(path, f"{path} {name}", node)
                self.sizes[name] = size
            case {"type": inner}:
                yield from self.judge(inner, path, inside)

    def _union(self, branches: list[Any], path: str, inside: tuple[str, ...]) -> Iterator[Finding]:
        if len(branches) != 2 or branches[0] != "null" or branches[1] == "null":
            yield path, "union that is not null and one other"
        for branch in branches:
            if isinstance(branch, dict) and branch.get("type") == "array":
                yield path, "array in a union: an empty array says it"
            yield from self.judge(branch, path, inside)

    def _record(self, node: Any, inside: tuple[str, ...]) -> Iterator[Finding]:
        name = node["name"]
        yield from _words(name, name, node)
        if not node.get("doc"):
            yield name, "record without doc"
        for each in node["fields"]:
            path = f"{name}.{each['name']}"
            yield from _words(path, each["name"], each)
            if not each.get("doc"):
                yield path, "field without doc"
            yield from self.judge(each["type"], path, (*inside, name))
        self.sizes[name] = sum(self._fewest_bytes(each["type"]) for each in node["fields"])

    def _fewest_bytes(self, node: Any) -> int:
        """The fewest bytes of a value. Exact only for zero: any other result means at least one byte."""
        match node:
            case "null":
                return 0
            case str():
                return self.sizes.get(node.rpartition(".")[2], 1)
            case {"type": "record" | "fixed", "name": name}:
                return self.sizes.get(name, 1)
            case {"type": str() | dict() as inner} if inner not in ("array", "map", "enum"):
                return self._fewest_bytes(inner)
            case _:
                return 1


def _words(path: str, name: str, node: Any) -> Iterator[Finding]:
    for theme in forbidden_themes(" ".join([name, node.get("doc") or "", *node.get("aliases", ())])):
        yield path, f"forbidden: {theme}"
