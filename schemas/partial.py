"""A document in which something is malformed, as far as it is well formed: pydantic asks no rule across fields of a
record in which one field is wrong, and a person wants to hear of all mistakes at once."""

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
    """Holds the fields whose own form is right, and the defaults of those that are not given. Asking it for another
    one raises AttributeError."""
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
        made.__dict__.pop(name, None)  # its default, which stands for nothing given
    return made


def _value(model: type[SealedRecord], name: str, given: Any) -> Any:
    inner = model_of(model, name)
    if isinstance(given, dict) and inner is not None and issubclass(inner, SealedRecord):
        return partly(inner, given)
    return _form(model, name).validate_json(json.dumps(given))


@cache
def _form(model: type[SealedRecord], name: str) -> TypeAdapter[Any]:
    """Of one field, as strict as in its record."""
    field = model.model_fields[name]
    form: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(form, config=None if _is_record(form) else ConfigDict(strict=True, hide_input_in_errors=True))


def _is_record(form: Any) -> bool:
    """A model brings its own configuration, and takes no other."""
    return isinstance(form, type) and issubclass(form, SealedRecord)


def broken_rules(record: SealedRecord, path: str = "") -> Iterator[Broken]:
    """Of such a record, with paths; those that ask for a malformed field are not judged."""
    for rule in record.rules():
        with suppress(AttributeError):
            for field, why in rule():
                yield f"{path}{field}", why
    for name, value in record.__dict__.items():
        if isinstance(value, SealedRecord):
            yield from broken_rules(value, f"{path}{name}.")
