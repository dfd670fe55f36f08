"""Builds the well-formed part of a document that has malformed fields, and judges it by the rules across fields.

pydantic skips those rules for a record with a malformed field; this module applies them all the same, so that one try
reports all mistakes of a document."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from schemas.field_names import model_of
from schemas.personal import Broken, SealedRecord

Record = TypeVar("Record", bound=SealedRecord)


def partly(model: type[Record], document: Mapping[str, Any]) -> Record:
    """A record with the well-formed fields of `document`, and the defaults of those that it lacks. A malformed field is
    no attribute of it: reading one raises `AttributeError`."""
    values: dict[str, Any] = {}
    malformed = []
    for name in model.model_fields:
        if name in document:
            try:
                values[name] = _value(model, name, document[name])
            except ValidationError:
                malformed.append(name)
    made = cast("Record", model.model_construct(**values))
    for name in malformed:
        made.__dict__.pop(name, None)  # `model_construct` has set its default
    return made


def _value(model: type[SealedRecord], name: str, given: Any) -> Any:
    inner = model_of(model, name)
    if isinstance(given, dict) and inner is not None and issubclass(inner, SealedRecord):
        return partly(inner, given)
    return _form(model, name).validate_json(json.dumps(given))


@cache
def _form(model: type[SealedRecord], name: str) -> TypeAdapter[Any]:
    """A validator for one field alone, as strict as its record's."""
    field = model.model_fields[name]
    form: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(form, config=None if _is_record(form) else ConfigDict(strict=True, hide_input_in_errors=True))


def _is_record(form: Any) -> bool:
    """Whether `form` is a model, which has its own configuration: pydantic refuses another one for it."""
    return isinstance(form, type) and issubclass(form, SealedRecord)


def broken_rules(record: SealedRecord, path: str = "") -> Iterator[Broken]:
    """The broken rules of a record that `partly` has built, with the paths of their fields. A rule that reads a
    malformed field is not judged."""
    for rule in record.rules():
        with suppress(AttributeError):
            for field, why in rule():
                yield f"{path}{field}", why
    for name, value in record.__dict__.items():
        if isinstance(value, SealedRecord):
            yield from broken_rules(value, f"{path}{name}.")
