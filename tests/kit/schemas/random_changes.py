"""Changes of a random schema that are allowed, or that are not."""

import copy
from collections.abc import Callable
from random import Random
from typing import Any

from schemas.evolution_advice import EvolutionKind
from tests.kit.schemas.evolving import DATE, MICROS, MILLIS, UUID_TEXT, array, field
from tests.kit.schemas.random_schemas import PLAIN, default_of, is_a, nodes, records

PROMOTED = {"int": "long", "long": "double", "float": "double", "string": "bytes"}


def change_compatibly(root: Any, chance: Random, keep_all: bool = False) -> Any:
    """A copy after some allowed changes. The last of them makes it another schema to a reader too. With `keep_all`
    none of them takes anything away, such as a change made before.
    """
    result = copy.deepcopy(root)
    for _ in range(chance.randint(0, 6)):
        chance.choice(KEEPING if keep_all else (*KEEPING, *TAKING))(chance.choice(records(result)), chance)
    _add(result, chance)
    return result


def change_incompatibly(root: Any, chance: Random) -> tuple[Any, EvolutionKind]:
    """A copy after one change that is not allowed, and what it is to be called."""
    while True:
        result = copy.deepcopy(root)
        kind = chance.choice(INCOMPATIBLE)(chance.choice(records(result)), chance)
        if kind:
            return result, kind


def _add(node: Any, chance: Random) -> None:
    """New fields have names that no old one has, and stand anywhere before a sealed part."""
    name = f"n{len(node['fields'])}{chance.randrange(10**9)}"
    avro = chance.choice((*PLAIN, array("string"), array(DATE)))
    default = default_of(avro)
    made = field(name, avro, **default) if default else field(name, ["null", avro], default=None)
    node["fields"].insert(chance.randrange(len(_open_fields(node)) + 1), made)


def _remove(node: Any, chance: Random) -> None:
    gone = chance.choice([each for each in node["fields"] if "default" in each and not each.get("given")] or [None])
    if gone:
        node["fields"].remove(gone)


def _reorder(node: Any, chance: Random) -> None:
    fields = _open_fields(node)
    chance.shuffle(fields)
    node["fields"][: len(fields)] = fields


def _reword(node: Any, chance: Random) -> None:
    chance.choice([node, *node["fields"]])["doc"] = "Synthetic, and said in another way."


def _give_default(node: Any, chance: Random) -> None:
    chosen = chance.choice(node["fields"])
    if chosen["name"].startswith("f") and "default" not in chosen and default_of(chosen["type"]):
        chosen |= {**default_of(chosen["type"]), "given": True}  # as the old version had none, the field must stay


def _take_default(node: Any, chance: Random) -> None:
    chosen = chance.choice(node["fields"])
    if chosen["name"].startswith("f"):
        chosen.pop("default", None)


def _open_fields(node: Any) -> list[Any]:
    return [each for each in node["fields"] if each["name"] != "sealed"]


KEEPING: tuple[Callable[[Any, Random], None], ...] = (_add, _reorder, _reword, _give_default)
TAKING: tuple[Callable[[Any, Random], None], ...] = (_remove, _take_default)


def _add_without_default(node: Any, chance: Random) -> EvolutionKind:
    node["fields"].insert(0, field("new", chance.choice(PLAIN)))
    return "added_without_default"


def _remove_without_default(node: Any, _: Random) -> EvolutionKind:
    node["fields"].remove(next(each for each in node["fields"] if each["name"] == "base"))
    return "removed_without_default"


def _promote(node: Any, chance: Random) -> EvolutionKind | None:
    return _retype(node, chance, PROMOTED, "type_promoted")


def _retype_altogether(node: Any, chance: Random) -> EvolutionKind | None:
    return _retype(node, chance, {"boolean": "string", "int": "boolean", "bytes": "long"}, "type_changed")


def _retype(node: Any, chance: Random, types: dict[str, str], kind: EvolutionKind) -> EvolutionKind | None:
    fitting = [each for each in node["fields"] if isinstance(each["type"], str) and each["type"] in types]
    for chosen in fitting and [chance.choice(fitting)]:
        chosen["type"] = types[chosen["type"]]
        chosen.pop("default", None)
        return kind
    return None


def _mean_otherwise(node: Any, chance: Random) -> EvolutionKind | None:
    others = [(MILLIS, MICROS), (MICROS, MILLIS), (DATE, "int"), ("int", DATE), (UUID_TEXT, "string")]
    before, after = chance.choice(others)
    for each in node["fields"]:
        if each["type"] == before:
            each["type"] = after
            each.pop("default", None)
            return "logical_type_changed"
    return None


def _make_nullable(node: Any, _: Random) -> EvolutionKind:
    base = next(each for each in node["fields"] if each["name"] == "base")
    base["type"] = ["null", base["type"]]
    return "nullable_changed"


def _resize(node: Any, _: Random) -> EvolutionKind | None:
    for each in nodes(node):
        if is_a(each, "fixed"):
            each["size"] += 1
            return "size_changed"
    return None


def _rename(node: Any, _: Random) -> EvolutionKind:
    node["name"] = f"{node['name']}Anew"
    return "name_changed"


def _rename_a_field(node: Any, chance: Random) -> EvolutionKind:
    chosen = chance.choice(_open_fields(node))
    chosen |= {"name": "renamed", "aliases": [chosen["name"]]}
    return "field_renamed"


def _change_default(node: Any, _: Random) -> EvolutionKind | None:
    for each in node["fields"]:
        if each["type"] == "string" and "default" in each:
            each["default"] = "another"
            return "default_changed"
    return None


INCOMPATIBLE: tuple[Callable[[Any, Random], EvolutionKind | None], ...] = (
    _add_without_default,
    _remove_without_default,
    _promote,
    _retype_altogether,
    _mean_otherwise,
    _make_nullable,
    _resize,
    _rename,
    _rename_a_field,
    _change_default,
)
