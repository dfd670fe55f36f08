"""The evolution check: a new version of a schema reads, and is read by, every released one, in both directions.

Pure functions over two schemas as parsed JSON. The rules come first, since only they find what no value shows (a
logical type is not in the fingerprint, an alias works one way only). Where the rules find nothing, `evolution_proof`
writes generated data with each version and reads it with the other.
"""

from collections.abc import Iterator
from typing import Any, assert_never

from schemas.evolution_advice import EvolutionFinding
from schemas.evolution_proof import SIMPLE_TYPES, Mismatch, mismatches
from schemas.schema_changes import Change, TypeChange, changes
from schemas.schema_rules import fingerprint_findings, schema_findings
from schemas.schema_shape import Field, Shape, all_fields, all_shapes, shape_of, short_name

_PROMOTIONS = frozenset(
    frozenset(pair)
    for pair in (
        ("int", "long"),
        ("int", "float"),
        ("int", "double"),
        ("long", "float"),
        ("long", "double"),
        ("float", "double"),
        ("string", "bytes"),
    )
)


def evolution_findings(old: Any, new: Any) -> tuple[EvolutionFinding, ...]:
    """Why readers of one version could not read records of the other; empty for a compatible pair. Both schemas are
    parsed JSON. Raises `NotASchema`."""
    found = rule_findings(old, new)
    return found or tuple(_of_proof(mismatch) for mismatch in mismatches(old, new))


def rule_findings(old: Any, new: Any) -> tuple[EvolutionFinding, ...]:
    """What the rules alone find, without generated data. Both schemas are parsed JSON. Raises `NotASchema`."""
    before, after = shape_of(old), shape_of(new)
    root = short_name(after) or after.kind
    if before.kind != "record" or after.kind != "record":
        return (EvolutionFinding(root, "not_a_record"),)
    found = [finding for change in changes(before, after) for finding in _judged(change)]
    found += _renamed(before, after, root)
    found += _of_the_new_alone(new, after, root)
    if (_has_sealed(before) or _has_sealed(after)) and not _sealed_stands_last(after):
        found.append(EvolutionFinding(root, "sealed_not_last"))
    if fingerprint_findings({"old": old, "new": new}):
        found.append(EvolutionFinding(root, "same_fingerprint"))
    return tuple(dict.fromkeys(found))


def _judged(change: Change) -> Iterator[EvolutionFinding]:
    """The findings, none or one, that one change between the versions causes."""
    if isinstance(change, TypeChange):
        yield from _judged_type(change)
        return
    match change.aspect:
        case "added":
            if change.new and not change.new.default:
                yield EvolutionFinding(change.path, "added_without_default")
        case "removed":
            if change.old and not change.old.default:
                yield EvolutionFinding(change.path, "removed_without_default")
            elif change.old and not default_fits(change.old):
                yield EvolutionFinding(change.path, "default_unfit", "older readers would get this field's default")
        case "default":
            if change.old and change.new and change.old.default and change.new.default:
                yield EvolutionFinding(change.path, "default_changed")
        case "moved" | "doc" | "aliases":
            return
        case _:
            assert_never(change.aspect)


def _judged_type(change: TypeChange) -> Iterator[EvolutionFinding]:
    match change.aspect:
        case "type":
            promoted = frozenset({change.old.kind, change.new.kind}) in _PROMOTIONS
            note = f"{change.old.text()} became {change.new.text()}"
            yield EvolutionFinding(change.path, "type_promoted" if promoted else "type_changed", note)
        case "logical type":
            yield EvolutionFinding(
                change.path,
                "logical_type_changed",
                f"{change.old.logical or 'none'} became {change.new.logical or 'none'}",
            )
        case "size":
            yield EvolutionFinding(change.path, "size_changed")
        case "name":
            yield EvolutionFinding(change.path, "name_changed", f"{change.old.name} became {change.new.name}")
        case "nullable":
            yield EvolutionFinding(change.path, "nullable_changed")
        case "branches":
            yield EvolutionFinding(change.path, "branches_changed")
        case "symbols":
            yield EvolutionFinding(change.path, "type_changed", "the symbols differ")
        case "record doc":
            return
        case _:
            assert_never(change.aspect)


def _renamed(old: Shape, new: Shape, path: str) -> Iterator[EvolutionFinding]:
    """Finds each alias that names a field of the other version. Only the version with the alias could read the other;
    and where that version has both fields, fastavro fills the first with the second one's value.
    """
    for place, before, after in _record_pairs(old, new, path):
        for ours, theirs in ((after, before), (before, after)):
            names = {each.name for each in theirs}
            for each in ours:
                if any(alias in names and alias != each.name for alias in each.aliases):
                    yield EvolutionFinding(f"{place}.{each.name}", "field_renamed")


def _record_pairs(old: Shape, new: Shape, path: str) -> Iterator[tuple[str, tuple[Field, ...], tuple[Field, ...]]]:
    """The records that both versions have at the same path: the path, the old fields, the new ones."""
    before = dict(_records(old, path))
    for place, fields in _records(new, path):
        if place in before:
            yield place, before[place], fields


def _records(shape: Shape, path: str) -> Iterator[tuple[str, tuple[Field, ...]]]:
    return ((place, inner.fields) for place, inner in all_shapes(shape, path) if inner.kind == "record")


def _of_the_new_alone(new: Any, shape: Shape, root: str) -> Iterator[EvolutionFinding]:
    for path, rule in schema_findings(new):
        yield EvolutionFinding(path or root, "rule_broken", rule)
    for path, inner in all_shapes(shape, root):
        if inner.kind == "recursion":  # `schema_findings` misses one whose name is written with its namespace
            yield EvolutionFinding(path, "rule_broken", "recursion")
        if inner.logical and (inner.kind, inner.logical) not in SIMPLE_TYPES:
            yield EvolutionFinding(path, "logical_type_unknown")
    for path, field in all_fields(shape, root):
        if field.default and not default_fits(field):
            yield EvolutionFinding(path, "default_unfit")


def default_fits(field: Field) -> bool:
    """Whether the field's default is a value of its first branch whose JSON form equals the Python value. It must have
    a default."""
    return _fits(field.default[0], field.shape)


def _fits(value: Any, shape: Shape) -> bool:
    if shape.logical:
        return False
    match shape.kind:
        case "union":
            return bool(shape.parts) and _fits(value, shape.parts[0])
        case "null":
            return value is None
        case "boolean":
            return type(value) is bool
        case "int" | "long":
            limit = 2**31 if shape.kind == "int" else 2**63
            return type(value) is int and -limit <= value < limit
        case "double":
            return type(value) is float
        case "string":
            return type(value) is str
        case "array":
            return type(value) is list and all(_fits(item, shape.parts[0]) for item in value)
        case "record":
            names = {each.name for each in shape.fields}
            return (
                type(value) is dict
                and value.keys() == names
                and all(_fits(value[each.name], each.shape) for each in shape.fields)
            )
        case _:  # float, too: most decimal fractions have no exact value in 32 bits
            return False


def _has_sealed(shape: Shape) -> bool:
    return any(each.name == "sealed" for each in shape.fields)


def _sealed_stands_last(shape: Shape) -> bool:
    last = shape.fields[-1] if shape.fields else None
    return last is not None and last.name == "sealed" and last.shape == Shape("bytes")


def _of_proof(mismatch: Mismatch) -> EvolutionFinding:
    return EvolutionFinding(mismatch.path, mismatch.kind, f"written with the {mismatch.writer} version")
