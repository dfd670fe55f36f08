"""What is wrong with an input, without a word of the input: where, and of what kind."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

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


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` as in `body.request.service_types[1]`; empty for the input as a whole."""

    path: str
    kind: ProblemKind


def problems(error: ValidationError) -> tuple[Problem, ...]:
    """Everything that is wrong, each thing once. pydantic's own report quotes the input, so only the type and the place
    of each error are taken. The name of an unknown field is input too: its parent is named instead. Only for models
    without maps, whose keys would stand in the path.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(dict.fromkeys(_problem(entry["type"], entry["loc"]) for entry in found))


def _problem(error_type: str, loc: tuple[int | str, ...]) -> Problem:
    kind = _KINDS.get(error_type) or ("wrong_type" if error_type.endswith("_type") else "bad_value")
    return Problem(_path(loc[:-1] if kind == "unknown_field" else loc), kind)


def _path(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
