"""Hypothesis strategies that follow the sealed models, so that a new field is covered without being named here."""

import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel, StringConstraints

from schemas import personal
from schemas.code_lists import Coded, load_code_list
from schemas.times import EARLIEST_DAY

Model = TypeVar("Model", bound=BaseModel)

# Everything but what the models refuse; the agencies' own letters more often than chance would have it.
VISIBLE = st.one_of(
    st.sampled_from("aoʻgʼЎқҳ \U0001f338"),
    st.characters(
        exclude_categories=["Cc", "Cs", "Zl", "Zp"],
        exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    ),
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_TO_9999 = 253_370_764_800
INSTANTS = st.integers(0, SECONDS_TO_9999 * 1000).map(lambda millis: EPOCH + timedelta(milliseconds=millis))
PATTERNS = {
    r"^[0-9a-f]{64}$": st.binary(min_size=32, max_size=32).map(bytes.hex),
    r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$": st.from_regex(r"[a-z][a-z0-9]{2,9}(-[a-z0-9]{1,9}){0,2}", fullmatch=True),
}
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    datetime: INSTANTS,
    date: st.dates(EARLIEST_DAY),
    int: st.integers(0, 130),
}


def values(annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Values for a field of this annotation."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return values(args[0], (*metadata, *args[1:]))
    if origin in (typing.Union, types.UnionType):
        return st.none() | values(next(arg for arg in args if arg is not type(None)), metadata)
    if origin is tuple:
        required = any(getattr(each, "min_length", 0) for each in metadata)
        return st.lists(values(args[0]), min_size=int(required), max_size=3, unique=True).map(tuple)
    if annotation is str:
        return strings(metadata)
    if annotation is UUID:
        return st.uuids(version=4)
    if issubclass(annotation, BaseModel):
        return models(annotation)
    return PLAIN[annotation]


def strings(metadata: tuple[Any, ...]) -> st.SearchStrategy[str]:
    lists = [each.list_name for each in metadata if isinstance(each, Coded)]
    if lists:
        return st.sampled_from([entry.code for entry in load_code_list(lists[0]).codes])
    rules = next(each for each in metadata if isinstance(each, StringConstraints))
    pattern = typing.cast(str, rules.pattern)
    if "\\s" in pattern:  # text as people write it
        text = st.text(VISIBLE, min_size=1, max_size=min(rules.max_length or 20, 20))
        return text.filter(lambda each: not each.isspace())
    return PATTERNS[pattern]


@cache
def models(model: type[Model]) -> st.SearchStrategy[Model]:
    """Valid models of this type."""
    fields = {name: values(each.annotation, tuple(each.metadata)) for name, each in model.model_fields.items()}
    return st.fixed_dictionaries(fields).map(HEALED.get(model, dict)).map(lambda chosen: model(**chosen))


def _one_age(chosen: dict[str, Any]) -> dict[str, Any]:
    return chosen | {"age_estimate": None} if chosen["date_of_birth"] else chosen


def _reason_when_not_informed(chosen: dict[str, Any]) -> dict[str, Any]:
    return chosen | {"why_not": (chosen["why_not"] or "x") if chosen["caregiver_informed"] is False else None}


def _consent_rules(chosen: dict[str, Any]) -> dict[str, Any]:
    first, last = sorted([chosen["attested_at"], chosen["expires_at"]])
    if first == last:
        last += timedelta(days=1)
    held = tuple(each for each in chosen["withheld"] if each not in chosen["data_categories"])
    reasons = ("best_interests_reason", "best_interests_approver")
    best = {name: (chosen[name] or "x") if chosen["kind"] == personal.BEST_INTERESTS else None for name in reasons}
    return chosen | {"attested_at": first, "expires_at": last, "withheld": held} | best


HEALED: dict[Any, Callable[[dict[str, Any]], dict[str, Any]]] = {
    personal.Person: _one_age,
    personal.Caregiver: _reason_when_not_informed,
    personal.Consent: _consent_rules,
}
