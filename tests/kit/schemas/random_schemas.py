"""Any schema within the rules. While it is changed, it has its named types written out wherever they are used, as one
shared dict, so that a change of a type changes every use of it; `rendered` makes the Avro of it, in which a name stands
for the second use.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.kit.schemas.evolving import DATE, MICROS, MILLIS, UUID_TEXT, array, field, fixed, record

PLAIN = ("boolean", "int", "long", "float", "double", "bytes", "string", UUID_TEXT, DATE, MILLIS, MICROS)
DEFAULTS: dict[str, Any] = {"boolean": True, "int": 7, "long": -(2**63), "double": 0.5, "string": "oʻ"}


def random_schema(chance: Random) -> Any:
    """A record, every other time an event with a sealed part."""
    named: list[Any] = []
    root = _record(chance, "Root", named, depth=3)
    if chance.random() < 0.5:
        root["fields"].append(field("sealed", "bytes"))
    return root


def rendered(root: Any) -> Any:
    """The schema as it would stand in a file."""
    return _rendered(root, set())


def _rendered(node: Any, seen: set[str]) -> Any:
    if isinstance(node, list):
        return [_rendered(branch, seen) for branch in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("record", "fixed"):
        if node["name"] in seen:
            return node["name"]
        seen.add(node["name"])
    kept = {key: value for key, value in node.items() if key != "given"}
    return {key: _rendered(value, seen) if key in ("type", "fields", "items") else value for key, value in kept.items()}


def _type(chance: Random, named: list[Any], depth: int) -> Any:
    kind = chance.choice(("plain", "plain", "nullable", "array", "record", "fixed", "again"))
    if kind == "again" and named:
        return chance.choice(named)
    if kind == "nullable":
        inner = _type(chance, named, depth - 1)
        return inner if isinstance(inner, list) or is_a(inner, "array") else ["null", inner]
    if kind == "array" and depth:
        return array(_type(chance, named, depth - 1))
    if kind == "record" and depth:
        made = _record(chance, f"R{len(named)}d{depth}", named, depth - 1)
    elif kind == "fixed":
        made = fixed(f"F{len(named)}d{depth}", chance.randint(1, 9))
    else:
        return chance.choice(PLAIN)
    named.append(made)
    return made


def _record(chance: Random, name: str, named: list[Any], depth: int) -> Any:
    fields = [field("base", "int")]  # never empty, whatever is taken away
    for number in range(chance.randint(1, 5)):
        avro = _type(chance, named, depth)
        chosen = field(f"f{number}", avro)
        if chance.random() < 0.5:
            chosen |= default_of(avro)
        fields.append(chosen)
    return record(name, *fields)


def default_of(avro: Any) -> dict[str, Any]:
    if isinstance(avro, list):
        return {"default": None}
    if is_a(avro, "array"):
        return {"default": []}
    return {"default": DEFAULTS[avro]} if isinstance(avro, str) and avro in DEFAULTS else {}


def is_a(avro: Any, kind: str) -> bool:
    return isinstance(avro, dict) and avro["type"] == kind


def records(root: Any) -> list[Any]:
    """Every record once, the outermost first."""
    found = {id(node): node for node in nodes(root) if is_a(node, "record")}
    return list(found.values())


def nodes(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        for branch in node:
            yield from nodes(branch)
    elif isinstance(node, dict):
        yield node
        yield from nodes(node.get("items"))
        for each in node.get("fields", ()):
            yield from nodes(each["type"])
