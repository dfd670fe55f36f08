"""The parts of `docs/wire-format.md` that are made from schemas, models and vectors.

`python -m tests.kit.wire_tables` writes them anew, each between its two marker comments.
"""

import json
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, StringConstraints

from schemas.code_lists import Coded
from schemas.events import AgencyCode, ClearPath, CodeWord, KeyId
from schemas.outcomes import CODES, FINAL_OUTCOMES, Outcome
from schemas.schema_index import MODELS, newest
from tests.kit.wire_example import sealed_example, signed_example

DOCUMENT = Path(__file__).parents[2] / "docs" / "wire-format.md"
_MARKED = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

_OUTCOMES = {
    Outcome.STORED: ("It is in the ledger.", "Done."),
    Outcome.ERASED: ("There is a tombstone. It was never opened.", "Done."),
    Outcome.REFUSED: ("It never will be stored; see its code.", "Show it."),
    Outcome.HELD: ("The bytes are kept; see its code.", "Wait, and send it again at growing pauses."),
    Outcome.MISSING: ("Not kept: something before it has not arrived.", "Send the first event after the place held."),
    Outcome.RESEAL: ("Not kept: the key it was sealed to is gone.", "Seal to a current key: same event id and place."),
}


def parts() -> Mapping[str, str]:
    """Each made part by its name."""
    return {
        "fields": "\n".join(_all_fields()),
        "outcomes": "\n".join(_outcomes()),
        "codes": "\n".join(_codes()),
        "signed": signed_example(),
        "sealed": sealed_example(),
    }


def up_to_date(text: str) -> str:
    """The document with each part made anew. KeyError for a part that nobody makes."""
    made = parts()
    return _MARKED.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


# outcomes and codes


def _outcomes() -> Iterator[str]:
    yield from _head("Outcome", "Meaning", "The writer's service", "Final")
    for outcome in Outcome:
        yield _row(f"`{outcome}`", *_OUTCOMES[outcome], "yes" if outcome in FINAL_OUTCOMES else "no")


def _codes() -> Iterator[str]:
    yield from _head("Code", "When", "Outcome", "Who acts", "Retry can help", "Uses up its place")
    for code, rule in CODES.items():
        outcome = f"`{rule.outcome}`" if rule.outcome else "no receipt"
        yield _row(f"`{code}`", rule.when, outcome, rule.who_acts, _yes(rule.retry_helps), _yes(rule.place))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


# fields


def _all_fields() -> Iterator[str]:
    for name, model in MODELS.items():
        if name != next(iter(MODELS)):
            yield ""
        yield from _fields(model, json.loads(newest(name).source), "###")


def _fields(model: type[BaseModel], record: Any, level: str) -> Iterator[str]:
    schema = newest(model.__name__) if model.__name__ in MODELS else None
    yield f"{level} {model.__name__}"
    yield ""
    yield f"{record['doc']} Fingerprint `{schema.fingerprint.hex()}`." if schema else record["doc"]
    yield ""
    yield from _head("Field", "Avro type", "Form", "Meaning")
    inner: list[tuple[type[BaseModel], Any]] = []
    for each in record["fields"]:
        field = model.model_fields[each["name"]]
        form, nested = _form(field.annotation, tuple(field.metadata))
        yield _row(f"`{each['name']}`", _avro(each["type"]), form, each["doc"])
        if nested is not None:
            inner.append((nested, _record_in(each["type"])))
    for nested, declared in inner:
        yield ""
        yield from _fields(nested, declared, "####")


def _avro(declared: Any) -> str:
    match declared:
        case ["null", other]:
            return f"null or {_avro(other)}"
        case {"type": "array", "items": items}:
            return f"array of {_avro(items)}"
        case {"type": "record", "name": name}:
            return f"{name}"
        case {"type": "fixed", "size": size}:
            return f"fixed {size}"
        case {"type": kind, "logicalType": logical}:
            return f"{kind}, {logical}"
        case _:
            return str(declared)


def _record_in(declared: Any) -> Any:
    """The record that a type is, or is an array of, or may be."""
    match declared:
        case ["null", other]:
            return _record_in(other)
        case {"type": "array", "items": items}:
            return _record_in(items)
        case _:
            return declared


def _form(annotation: Any, rules: tuple[Any, ...]) -> tuple[str, type[BaseModel] | None]:
    """In words, and the model inside."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _form(args[0], (*rules, *args[1:]))
    if origin is not None and type(None) in args:
        return _form(next(arg for arg in args if arg is not type(None)), rules)
    if origin is tuple:
        form, nested = _form(args[0], ())
        least, most = _limit(rules, "min_length") or 0, _limit(rules, "max_length")
        once = any(getattr(getattr(rule, "func", None), "__name__", "") == "_distinct" for rule in rules)
        return f"{least} to {most}{', no two the same' if once else ''}; each: {form}", nested
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "below", annotation
    return _scalar_form(annotation, rules), None


def _scalar_form(annotation: Any, rules: tuple[Any, ...]) -> str:
    codes = [rule.list_name for rule in rules if isinstance(rule, Coded)]
    if codes:
        return f"code of `{codes[0]}`"
    if annotation is str:
        return _text_form(next(rule for rule in rules if isinstance(rule, StringConstraints)))
    if annotation is int:
        return _number_form(_limit(rules, "ge"), _limit(rules, "le"), _limit(rules, "lt"))
    if annotation is bytes:
        return _bytes_form(_limit(rules, "min_length"), _limit(rules, "max_length"))
    if annotation.__name__ == "UUID":
        return "id, version 4" if any(getattr(rule, "uuid_version", 0) == 4 for rule in rules) else "id"
    return {"datetime": "time", "date": "day", "bool": "0 or 1"}[annotation.__name__]


def _text_form(rule: StringConstraints) -> str:
    named = {_constraints(alias).pattern: name for alias, name in _NAMED.items()}
    if rule.pattern in named:
        return named[rule.pattern]
    pattern = str(rule.pattern)
    if "\\s" in pattern:
        kind = "line" if "\\x0a" in pattern else "text"
        return f"{kind} of at most {rule.max_length}"
    return f"`{pattern}`" + (f", at most {rule.max_length}" if rule.max_length else "")


def _number_form(least: int, most: int | None, below: int | None) -> str:
    top = most if most is not None else (below or 0) - 1
    return f"from {least}" if top == 2**53 - 1 else f"{least} to {top}"


def _bytes_form(least: int | None, most: int | None) -> str:
    if most is None:
        return "section 4"
    return f"{most} bytes" if least == most else f"at most {most} bytes"


def _limit(rules: tuple[Any, ...], name: str) -> Any:
    found = (getattr(part, name, None) for rule in rules for part in (rule, *getattr(rule, "metadata", ())))
    return next((value for value in found if value is not None), None)


def _constraints(alias: Any) -> StringConstraints:
    return next(rule for rule in typing.get_args(alias) if isinstance(rule, StringConstraints))


_NAMED: dict[Any, str] = {AgencyCode: "agency code", CodeWord: "code word", KeyId: "key id", ClearPath: "field name"}


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*("---" for _ in names))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    DOCUMENT.write_text(up_to_date(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
