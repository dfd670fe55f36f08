"""Reads the file given to `publish`: one referral as JSON, or a list of them. Its size is bounded, and no error quotes
from it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ValidationError

from producers.refusals import refused, unknown_code_refusals
from referral_bus.errors import Reason, Refused, Unreachable, refused_together
from schemas.bounded_json import Bounds, NotJson, OutOfBounds, load_json
from schemas.field_names import model_of
from schemas.partial import broken_rules, partly
from schemas.problems import Problem, problems
from schemas.referral_request import MOST_REQUESTS, ReferralRequest, parse_requests
from schemas.text import tidy_all

MAX_FILE = 16 * 1024 * 1024  # bytes: 500 referrals of the largest size, with room for the syntax of JSON
BOUNDS = Bounds(size=MAX_FILE, values=900 * MOST_REQUESTS, items=MOST_REQUESTS)  # a full referral has 200 values

_OUT_OF_BOUNDS = {
    "size": "the file is over 16 MiB; split it",
    "items": f"the list holds more than {MOST_REQUESTS} referrals; split it",
    "values": "the file holds more values than a list of referrals can; split it",
    "depth": "the file's brackets are nested deeper than a referral's",
}


Judge = Callable[[ReferralRequest, str], Iterable[Refused]]
"""Given a request of which only the well-formed fields are there (see `schemas.partial`), and the text to put before
each path: what is wrong with these fields."""


def read_requests(
    path: str, standard_input: Callable[[], BinaryIO], judge: Judge = lambda _part, _at: ()
) -> tuple[ReferralRequest, ...]:
    """The requests in the file at `path`, or from standard input for `-`. Raises `Refused` naming everything that is
    wrong, `Unreachable` where the file cannot be read now."""
    return parse(_read(path, standard_input), judge)


def parse(content: bytes, judge: Judge = lambda _part, _at: ()) -> tuple[ReferralRequest, ...]:
    """The requests in `content`. Line ends and tabs in texts are brought into the form that a record may carry; every
    other character is kept, or refused. Raises `Refused` naming everything that is wrong."""
    document = _document(content)
    tidied = tidy_all(document)
    text = json.dumps(tidied, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        raise Refused(Reason.VALUE_REFUSED, f"a text holds {half}, which is half a character; remove it") from None
    repeated = list(_repeated(document, "", ReferralRequest))
    try:
        requests = parse_requests(text)
    except ValidationError as error:
        malformed = [refused(problem, ReferralRequest) for problem in problems(error)]
        raise refused_together(_in_order([*malformed, *repeated], tidied, judge)) from None
    if repeated:
        raise refused_together(_in_order(repeated, tidied, judge))
    return requests


def _in_order(found: list[Refused], document: Any, judge: Judge) -> list[Refused]:
    """`found`, and the mistakes that `judge` finds in the well-formed fields, in the order of the list."""
    items = enumerate(document) if isinstance(document, list) else [(-1, document)]
    places = {each.path for each in found}
    for place, item in items:
        if isinstance(item, dict):
            judged = _judged(partly(ReferralRequest, item), f"[{place}]." if place >= 0 else "", judge)
            found += [each for each in judged if each.path not in places]
    return sorted(found, key=lambda each: _place(each.path))


def _judged(part: ReferralRequest, at: str, judge: Judge) -> list[Refused]:
    """What breaks a rule across fields, is an unknown code, or is found by `judge`; the first mistake at each place."""
    rules = [refused(Problem(f"{at}{path}", "bad_value", why), ReferralRequest) for path, why in broken_rules(part)]
    found = [*rules, *unknown_code_refusals(part, at), *judge(part, at)]
    return list({each.path: each for each in reversed(found)}.values())[::-1]


def _place(path: str | None) -> int:
    in_list = re.match(r"\[(\d+)\]", path or "")
    return int(in_list[1]) if in_list else -1


def _document(content: bytes) -> Any:
    if len(content) <= MAX_FILE and not content.strip():
        raise Refused(Reason.NOT_JSON, "the file is empty")
    try:
        return load_json(content, BOUNDS, _Object)
    except OutOfBounds as error:
        reason = Reason.NOT_JSON if error.what == "depth" else Reason.TOO_LARGE
        raise Refused(reason, _OUT_OF_BOUNDS[error.what]) from None
    except NotJson as error:
        raise Refused(Reason.NOT_JSON, error.why, f"line {error.line}, column {error.column}") from None


class _Object(dict[str, Any]):
    """A JSON object that knows which of its fields stood in it twice. In a plain dict the last one silently wins."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs) if len(self) < len(pairs) else Counter[str]()
        self.twice = tuple(name for name in self if times[name] > 1)


def _repeated(value: Any, path: str, model: type[BaseModel] | None) -> Iterator[Refused]:
    """One refusal for each field that stands twice. Looks only into fields of the model, so that no name from input
    gets into a path; unknown fields are refused elsewhere."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _repeated(item, f"{path}[{place}]", model)
    elif isinstance(value, _Object) and model is not None:
        for name in value.twice:
            if name in model.model_fields:
                inner = f"{path}.{name}".removeprefix(".")
                yield Refused(Reason.VALUE_REFUSED, "this field stands here twice; keep one", inner)
        for name, item in value.items():
            if name in model.model_fields:
                yield from _repeated(item, f"{path}.{name}".removeprefix("."), model_of(model, name))


def _read(path: str, standard_input: Callable[[], BinaryIO]) -> bytes:
    try:
        if path == "-":
            content = standard_input().read(MAX_FILE + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MAX_FILE + 1)
    except IsADirectoryError:
        raise Refused(Reason.NOT_JSON, "this is a folder, not a file") from None
    except FileNotFoundError:
        raise Refused(Reason.FILE_UNREADABLE, "there is no such file") from None
    except OSError:
        raise Unreachable(Reason.FILE_UNREADABLE, "the file cannot be read") from None
    return content
