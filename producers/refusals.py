"""Turns the mistakes found in a request, or in a later word, into refusals for a person: each with its place, what to
do, and the form that is accepted there."""

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, TypeAdapter, ValidationError

from referral_bus.errors import Reason, Refused
from schemas.code_lists import form_of, list_at, unknown_codes
from schemas.field_names import model_at
from schemas.problems import Problem, ProblemKind, problems
from schemas.text import line, tidy

_LOCAL_REF: TypeAdapter[str] = TypeAdapter(Annotated[str, line(120)])

_REASONS: dict[ProblemKind, tuple[Reason, str]] = {
    "missing": (Reason.FIELD_MISSING, "this field is needed"),
    "unknown_field": (Reason.FIELD_UNKNOWN, "holds a field that is not part of a referral; check the spelling"),
    "wrong_type": (Reason.TYPE_WRONG, "this field takes another type of value"),
    "naive_time": (Reason.TIME_NAIVE, "give the time with its offset, as in 2026-11-23T19:00:00+05:00"),
    "too_long": (Reason.TOO_LARGE, "it is longer than allowed; shorten it"),
    "bad_value": (Reason.VALUE_REFUSED, "this value is not allowed here"),
    "not_json": (Reason.NOT_JSON, "this is not a referral, or a list of referrals, as JSON"),
}


def refused(problem: Problem, model: type[BaseModel] | None = None) -> Refused:
    """The refusal for one problem. `model`: the model at which the problem's path begins; with it the advice lists the
    codes of a coded field, and the fields of an object."""
    reason, advice = _REASONS[problem.kind]
    if problem.kind == "unknown_field":
        whose = "it" if problem.path else "the request"
        return Refused(reason, f"{whose} {advice}{_names(model, problem.path)}", problem.path or None)
    list_name = list_at(model, problem.path) if model else None
    form = form_of(list_name) if list_name and problem.kind != "too_long" else problem.form
    return Refused(reason, f"{advice}; accepted: {form}" if form else advice, problem.path or None)


def _names(model: type[BaseModel] | None, path: str) -> str:
    here = model_at(model, path) if model else None
    return f"; accepted: {', '.join(here.model_fields)}" if here else ""


def unknown_code_refusals(said: BaseModel, at: str = "") -> list[Refused]:
    """One refusal for each code in `said` that its code list does not have. `at` is put before each path."""
    return [_unknown_code(type(said), path, at) for path in unknown_codes(said)]


def _unknown_code(model: type[BaseModel], path: str, at: str) -> Refused:
    list_name = list_at(model, path)
    form = form_of(list_name) if list_name else "a code of the list; see `referral-bus codes`"
    return Refused(Reason.CODE_UNKNOWN, f"this code is not on the list; accepted: {form}", at + path)


def tidy_local_ref(text: str) -> str:
    """A case number in the form in which it is kept, by the rule that also holds for `local_ref` in a request. Raises
    `Refused`."""
    try:
        kept: str = _LOCAL_REF.validate_python(tidy(text))
    except ValidationError as error:
        raise refused(replace(problems(error)[0], path="local_ref")) from None
    return kept
