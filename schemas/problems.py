"""Turns validation errors into problems that quote nothing of the input: a path, a kind and the accepted form."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.text import TEXT_PATTERNS, refused_character

ProblemKind = Literal["missing", "unknown_field", "wrong_type", "naive_time", "too_long", "bad_value", "not_json"]

_KINDS: dict[str, ProblemKind] = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "timezone_aware": "naive_time",
    "string_too_long": "too_long",
    "bytes_too_long": "too_long",
    "too_long": "too_long",
    "json_invalid": "not_json",
    "json_type": "not_json",
    "is_instance_of": "wrong_type",
    "int_from_float": "wrong_type",
}

_UUID = "a UUID, as in 7b1f3c52-3f0e-4d43-9a52-0d3f6c0a1b01"
_FORMS: dict[str, str] = {
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "too_long": "at most {max_length} items",
    "too_short": "at least {min_length} items",
    "greater_than_equal": "a number from {ge} on",
    "less_than_equal": "a number up to {le}",
    "less_than": "a number below {lt}",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text in quotes",
    "tuple_type": "a list, in [ ]",
    "list_type": "a list, in [ ]",
    "model_type": "an object, in {{ }}",
    "model_attributes_type": "an object, in {{ }}",
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "uuid_version": f"{_UUID}, made at random (version 4)",
    "datetime_type": "a time with its offset, as in 2026-11-23T19:00:00+05:00",
    "date_type": "a day, as in 1990-01-31",
}
_LIMITS = ("max_length", "min_length", "ge", "le", "lt")  # numbers of the contract, never of the input
_OURS = ("bad_time", "bad_day", "not_distinct", "rule", "utc_time")  # our own messages, which name the form


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in an input. `path` is as in `body.request.service_types[1]`, and empty for the input as a whole.
    `form` says what is accepted there, and is empty where that is not known; it names a refused character of a text by
    its code point."""

    path: str
    kind: ProblemKind
    form: str = field(default="", compare=False)


def problems(error: ValidationError) -> tuple[Problem, ...]:
    """All mistakes that `error` reports, each once. pydantic's own report quotes the input, so this takes only the type
    and the path of each error, and from a text the code point that is refused. The name of an unknown field is input,
    too, so the path is its parent's. Only for models without maps: a map's keys would show in the path.
    """
    entries = error.errors(include_url=False)
    inner = {entry["loc"][:length] for entry in entries for length in range(len(entry["loc"]))}
    found = (_problem(entry) for entry in entries if entry["type"] != "too_short" or entry["loc"] not in inner)
    return tuple(dict.fromkeys(found))  # `inner`: pydantic also calls a list too short if all its items are wrong


def _problem(entry: ErrorDetails) -> Problem:
    error_type, loc = entry["type"], entry["loc"]
    kind = _KINDS.get(error_type) or ("wrong_type" if error_type.endswith("_type") else "bad_value")
    return Problem(_path(loc[:-1] if kind == "unknown_field" else loc), kind, _form(entry))


def _form(entry: ErrorDetails) -> str:
    error_type, context = entry["type"], entry.get("ctx", {})
    if error_type in _OURS:
        return entry["msg"]
    if error_type == "string_pattern_mismatch":
        return _form_of_text(entry["input"], context["pattern"])
    limits = {name: context[name] for name in _LIMITS if name in context}
    return _FORMS.get(error_type, "").format(**limits)


def _form_of_text(given: Any, pattern: str) -> str:
    character = refused_character(given, pattern) if isinstance(given, str) else None
    if character:
        return f"a text without the character {character}"
    return "a text that is not blank" if pattern in TEXT_PATTERNS else ""


def _path(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
