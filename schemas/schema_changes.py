"""Lists the differences between two versions of a schema; `evolution` judges them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, TypeAlias

from schemas.schema_shape import Field, Shape, short_name

FieldAspect = Literal["added", "removed", "moved", "default", "doc", "aliases"]
TypeAspect = Literal["type", "logical type", "size", "name", "nullable", "branches", "symbols", "record doc"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A difference in one field. `old` is None for an added field, `new` for a removed one. `places` are the positions
    of a moved field in its record before and after, from 1."""

    path: str
    aspect: FieldAspect
    old: Field | None
    new: Field | None
    places: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class TypeChange:
    """A difference between the types at the same path."""

    path: str
    aspect: TypeAspect
    old: Shape
    new: Shape


Change: TypeAlias = FieldChange | TypeChange


def changes(old: Shape, new: Shape) -> tuple[Change, ...]:
    """All differences, in the order of the new version; the removed fields of a record come last in it."""
    return tuple(_shapes(old, new, short_name(new) or new.kind))


def _shapes(old: Shape, new: Shape, path: str) -> Iterator[Change]:
    if "union" in (old.kind, new.kind):
        yield from _unions(old, new, path)
        return
    if old.kind != new.kind:
        yield TypeChange(path, "type", old, new)
        return
    for aspect, differs in _aspects(old, new):
        if differs:
            yield TypeChange(path, aspect, old, new)
    for before, after in zip(old.parts, new.parts, strict=True):
        yield from _shapes(before, after, f"{path}[]")
    yield from _records(old, new, path)


def _aspects(old: Shape, new: Shape) -> tuple[tuple[TypeAspect, bool], ...]:
    return (
        ("name", old.name != new.name),
        ("logical type", old.logical != new.logical),
        ("size", old.size != new.size),
        ("symbols", old.symbols != new.symbols),
        ("record doc", old.doc != new.doc),
    )


def _unions(old: Shape, new: Shape, path: str) -> Iterator[Change]:
    """Compares unions. A type that is no union counts as a union of that type alone."""
    before, after = _branches(old), _branches(new)
    if ("null" in before) != ("null" in after):
        yield TypeChange(path, "nullable", old, new)
    lone = [[branch for key, branch in each.items() if key != "null"] for each in (before, after)]
    if len(lone[0]) == len(lone[1]) == 1:
        yield from _shapes(lone[0][0], lone[1][0], path)
    elif before.keys() - {"null"} != after.keys() - {"null"}:
        yield TypeChange(path, "branches", old, new)
    else:
        for key, branch in after.items():
            yield from _shapes(before.get(key, branch), branch, path)
    if list(before) != list(after) and before.keys() == after.keys():
        yield TypeChange(path, "branches", old, new)


def _branches(shape: Shape) -> dict[str, Shape]:
    parts = shape.parts if shape.kind == "union" else (shape,)
    return {part.name or part.kind: part for part in parts}


def _records(old: Shape, new: Shape, path: str) -> Iterator[Change]:
    before, after = ({each.name: each for each in shape.fields} for shape in (old, new))
    moved = _moved([name for name in before if name in after], [name for name in after if name in before])
    for name, field in after.items():
        inner = f"{path}.{name}"
        if name not in before:
            yield FieldChange(inner, "added", None, field)
            continue
        if name in moved:
            places = list(before).index(name) + 1, list(after).index(name) + 1
            yield FieldChange(inner, "moved", before[name], field, places)
        yield from _fields(before[name], field, inner)
    for name, field in before.items():
        if name not in after:
            yield FieldChange(f"{path}.{name}", "removed", field, None)


def _moved(before: list[str], after: list[str]) -> set[str]:
    """A small set of names that have moved, so that all others keep their order. difflib does not always find the
    smallest."""
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    return set(after).difference(*(after[block.b : block.b + block.size] for block in blocks))


def _fields(old: Field, new: Field, path: str) -> Iterator[Change]:
    yield from _shapes(old.shape, new.shape, path)
    if _json(old.default) != _json(new.default):
        yield FieldChange(path, "default", old, new)
    if old.doc != new.doc:
        yield FieldChange(path, "doc", old, new)
    if old.aliases != new.aliases:
        yield FieldChange(path, "aliases", old, new)


def drawn(change: Change) -> str:
    """The change as one line: `+` for an added field, `-` for a removed one, `~` for any other change."""
    before, after = texts(change)
    if change.aspect == "added":
        return f"+ {change.path}: {after}"
    if change.aspect == "removed":
        return f"- {change.path}: {before}"
    return f"~ {change.path}: {change.aspect}: {before} -> {after}"


def texts(change: Change) -> tuple[str, str]:
    """What changed, before and after, as texts for an output line."""
    if isinstance(change, FieldChange):
        if change.aspect == "moved":
            return f"place {change.places[0]}", f"place {change.places[1]}"
        return _field_text(change.old, change.aspect), _field_text(change.new, change.aspect)
    return _shape_text(change.old, change.aspect), _shape_text(change.new, change.aspect)


def _field_text(field: Field | None, aspect: FieldAspect) -> str:
    if field is None:
        return "none"
    default = _json(field.default[0]) if field.default else "none"
    match aspect:
        case "default":
            return default
        case "doc":
            return _json(field.doc)
        case "aliases":
            return _json(list(field.aliases))
        case _:
            return f"{field.shape.text()}, default {default}"


def _shape_text(shape: Shape, aspect: TypeAspect) -> str:
    match aspect:
        case "logical type":
            return shape.logical or "none"
        case "size":
            return f"{shape.size} bytes"
        case "name":
            return shape.name
        case "symbols":
            return _json(list(shape.symbols))
        case "record doc":
            return _json(shape.doc)
        case _:
            return shape.text()


def _json(value: Any) -> str:
    """JSON tells 1, 1.0 and true apart, which are equal in Python."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
