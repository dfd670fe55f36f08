"""Which fields the models of the contract have, by their paths."""

import re

from pydantic import BaseModel

from schemas.code_lists import is_model, parts_of


def model_at(model: type[BaseModel], path: str) -> type[BaseModel] | None:
    """The model of the object that stands at `body.request`, or `[3].body`; None where none does."""
    here: type[BaseModel] | None = model
    for name in re.findall(r"[a-z_]+", path):
        here = model_of(here, name) if here else None
    return here


def model_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Of what stands in one field."""
    field = model.model_fields.get(name)
    inner = [part for part in parts_of(field.annotation) if is_model(part)] if field else []
    return inner[0] if inner else None
