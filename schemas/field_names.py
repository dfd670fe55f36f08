"""Finds the model of an object in a document by its path, so that an error can name the fields that it takes."""

import re

from pydantic import BaseModel

from schemas.code_lists import is_model, parts_of


def model_at(model: type[BaseModel], path: str) -> type[BaseModel] | None:
    """The model of the object at `path`, as in `body.request` or `[3].body`; None where the field holds no object."""
    here: type[BaseModel] | None = model
    for name in re.findall(r"[a-z_]+", path):
        here = model_of(here, name) if here else None
    return here


def model_of(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model of the object that one field of `model` holds; None where it holds no object."""
    field = model.model_fields.get(name)
    inner = [part for part in parts_of(field.annotation) if is_model(part)] if field else []
    return inner[0] if inner else None
