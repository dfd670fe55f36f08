"""The closed code lists in `codes/`, and which field of a model holds a code of which list.

An unknown code is no validation error: newer software of a partner may know it (CODE_UNKNOWN), while a value that
breaks a rule can never become valid (VALUE_REFUSED). So models check a code's form, and `unknown_codes` whether it is
listed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints
from pydantic_core import CoreSchema

CODE_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
CodeForm = Annotated[str, StringConstraints(pattern=CODE_PATTERN, max_length=40)]

CODE_LISTS: tuple[str, ...] = (
    "business_status",
    "capacity",
    "care_status",
    "consent_basis",
    "consent_given_by",
    "consent_kind",
    "consent_method",
    "contact_method",
    "data_categories",
    "erasure_kind",
    "erasure_reason",
    "follow_up_via",
    "identifier_scheme",
    "language",
    "outcome",
    "outcome_reason",
    "priority",
    "purposes",
    "relationship",
    "service_types",
    "sex",
    "status",
    "worker_sex_preference",
)


class CodeEntry(BaseModel):
    """One code: its label in English, and where we have them in Russian and in Uzbek (Latin), and its meaning."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    code: CodeForm
    en: str
    meaning: str
    ru: str | None = None
    uz: str | None = None


class CodeList(BaseModel):
    """One file of `codes/`. Codes are only ever added; `version` counts the additions."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    name: Annotated[str, Field(alias="list")]
    version: Annotated[int, Field(ge=1)]
    source: str
    codes: Annotated[tuple[CodeEntry, ...], Field(strict=False, min_length=1)]


@dataclass(frozen=True, slots=True)
class Coded:
    """Annotates a field, or the items of a list field, whose values are codes of the list with this name."""

    list_name: str

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """JSON Schema gets the codes as an `enum`, which makes a pattern and a length redundant."""
        schema = handler(core_schema)
        return {"type": schema["type"], "enum": [entry.code for entry in load_code_list(self.list_name).codes]}


def parse_code_list(text: str) -> CodeList:
    return CodeList.model_validate(yaml.safe_load(text))


@cache
def load_code_list(name: str) -> CodeList:
    """The list with this name of `CODE_LISTS`. Raises `KeyError` for any other: no name of a list comes from input."""
    if name not in CODE_LISTS:
        raise KeyError(name)
    return parse_code_list((resources.files("schemas") / "codes" / f"{name}.yaml").read_text(encoding="utf-8"))


@cache
def _codes(name: str) -> frozenset[str]:
    return frozenset(entry.code for entry in load_code_list(name).codes)


def known(name: str, code: str) -> bool:
    """Whether the code stands on the list."""
    return code in _codes(name)


MOST_SPELLED_OUT = 12


def form_of(list_name: str) -> str:
    """The accepted values of a field of this list, for an error line: the codes, or the command that lists them."""
    codes = [entry.code for entry in load_code_list(list_name).codes]
    if len(codes) > MOST_SPELLED_OUT:
        return f"a code of the list, which `referral-bus codes {list_name}` shows"
    return f"one of {', '.join(codes)}"


def list_at(model: type[BaseModel], path: str) -> str | None:
    """The name of the list whose codes the field at `path` takes, as in `body.request.service_types[1]`; None for a
    field that takes no code."""
    for name in re.findall(r"[a-z_]+", path):
        list_name = dict(coded_fields(model)).get(name)
        if list_name is not None or name not in model.model_fields:
            return list_name
        inner = [part for part in parts_of(model.model_fields[name].annotation) if is_model(part)]
        if not inner:
            return None
        model = inner[0]
    return None


def unknown_codes(model: BaseModel) -> tuple[str, ...]:
    """The paths of all codes that are not on their field's list, as in `request.service_types[1]`. Never the codes
    themselves."""
    found: list[str] = []
    _collect_unknown(model, "", found)
    return tuple(found)


def _collect_unknown(model: BaseModel, prefix: str, found: list[str]) -> None:
    for name, list_name in coded_fields(type(model)):
        value = getattr(model, name, None)  # None, too, for a malformed field that `partial` left out
        if type(value) is tuple:
            for place, item in enumerate(value):
                _judge(item, list_name, f"{prefix}{name}[{place}]", found)
        elif value is not None:
            _judge(value, list_name, f"{prefix}{name}", found)


def _judge(value: Any, list_name: str | None, path: str, found: list[str]) -> None:
    if list_name is None:
        _collect_unknown(value, f"{path}.", found)
    elif value not in _codes(list_name):
        found.append(path)


@cache
def coded_fields(model: type[BaseModel]) -> tuple[tuple[str, str | None], ...]:
    """The fields in which codes can be: those that hold codes, with their list, and those that hold records, with
    None."""
    found: list[tuple[str, str | None]] = []
    for name, field in model.model_fields.items():
        parts = [*field.metadata, *parts_of(field.annotation)]
        lists = [part.list_name for part in parts if isinstance(part, Coded)]
        if lists:
            found.append((name, lists[0]))
        elif any(is_model(part) for part in parts):
            found.append((name, None))
    return tuple(found)


def is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def parts_of(annotation: Any) -> Iterator[Any]:
    """The annotation and all its parts, recursively: the types, and the metadata that `Annotated` adds to them."""
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)
