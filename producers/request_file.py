"""Reading what `publish FILE` is given: one referral as JSON, or a list. Bounded, and never quoted in an error."""

import json
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from pydantic import TypeAdapter, ValidationError

from referral_bus.errors import Reason, Refused, Unreachable
from schemas.problems import Problem, ProblemKind, problems
from schemas.referral_request import ReferralRequest, parse_requests
from schemas.text import line

MAX_FILE = 16 * 1024 * 1024  # bytes: 500 referrals of the largest size, with room for JSON's own signs

_REASONS: dict[ProblemKind, tuple[Reason, str]] = {
    "missing": (Reason.FIELD_MISSING, "this field is needed"),
    "unknown_field": (Reason.FIELD_UNKNOWN, "it holds a field that is not part of a referral; check the spelling"),
    "wrong_type": (Reason.TYPE_WRONG, "this is not the kind of value that belongs here"),
    "naive_time": (Reason.TIME_NAIVE, "give the time with its offset, as in 2026-11-23T19:00:00+05:00"),
    "too_long": (Reason.TOO_LARGE, "it is longer than allowed; shorten it"),
    "bad_value": (Reason.VALUE_REFUSED, "this value is not allowed here"),
    "not_json": (Reason.NOT_JSON, "this is no JSON with a referral, or a list of referrals, in it"),
}


def read_requests(path: str, standard_input: BinaryIO) -> tuple[ReferralRequest, ...]:
    """The requests of a file, or of standard input for `-`. Raises `Refused` naming the first thing that is wrong."""
    return parse(_read(path, standard_input))


def parse(content: bytes) -> tuple[ReferralRequest, ...]:
    try:
        text = content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError:
        raise Refused(Reason.NOT_JSON, "this is no text in UTF-8") from None
    if not text.strip():
        raise Refused(Reason.NOT_JSON, "the file is empty")
    try:
        requests = parse_requests(text)
    except ValidationError as error:
        raise refused(problems(error)[0]) from None
    except RecursionError:
        raise Refused(Reason.NOT_JSON, "this is no JSON with a referral in it") from None
    _refuse_repeated(json.loads(text, object_pairs_hook=_Pairs, parse_int=str, parse_float=str), "")
    return requests


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object with every field in it, also one that stands there twice: elsewhere the last one silently wins."""


def _refuse_repeated(value: Any, path: str) -> None:
    """Of JSON that is a request by its last fields, so that every name in the path is one of ours."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            _refuse_repeated(item, f"{path}[{place}]")
    elif isinstance(value, _Pairs):
        names = [name for name, _ in value]
        for name, item in value:
            inner = f"{path}.{name}".removeprefix(".")
            if names.count(name) > 1:
                raise Refused(Reason.VALUE_REFUSED, "this field stands here twice; keep one", inner)
            _refuse_repeated(item, inner)


def refused(problem: Problem) -> Refused:
    reason, advice = _REASONS[problem.kind]
    return Refused(reason, advice, problem.path or None)


def _read(path: str, standard_input: BinaryIO) -> bytes:
    try:
        if path == "-":
            content = standard_input.read(MAX_FILE + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_FILE + 1)
    except IsADirectoryError:
        raise Refused(Reason.NOT_JSON, "this is a folder, not a file") from None
    except FileNotFoundError:
        raise Refused(Reason.FILE_UNREADABLE, "there is no such file") from None
    except OSError:
        raise Unreachable(Reason.FILE_UNREADABLE, "the file cannot be read") from None
    if len(content) > MAX_FILE:
        raise Refused(Reason.TOO_LARGE, "the file is over 16 MiB; hand it in in parts")
    return content


def check_local_ref(text: str) -> None:
    """By the same rule as in a request."""
    try:
        TypeAdapter(Annotated[str, line(120)]).validate_python(text)
    except ValidationError as error:
        raise refused(Problem("local_ref", problems(error)[0].kind)) from None
