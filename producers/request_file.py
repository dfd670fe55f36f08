"""Reading what `publish FILE` is given: one referral as JSON, or a list. Bounded, and never quoted in an error."""

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

MAX_FILE = 16 * 1024 * 1024  # bytes: 500 referrals of the largest size, with room for JSON's own signs
BOUNDS = Bounds(size=MAX_FILE, values=900 * MOST_REQUESTS, items=MOST_REQUESTS)  # a full referral has 200

_OUT_OF_BOUNDS = {
    "size": "the file is over 16 MiB; hand it in in parts",
    "items": f"the list holds more than {MOST_REQUESTS} referrals; hand it in in parts",
    "values": "it holds more values than a list of referrals can; hand it in in parts",
    "depth": "its brackets are nested deeper than a referral's",
}


Judge = Callable[[ReferralRequest, str], Iterable[Refused]]
"""What is wrong in one request whose form is wrong elsewhere, of which only the rest is there (see `schemas.partial`);
the text stands before each path."""


def read_requests(
    path: str, standard_input: Callable[[], BinaryIO], judge: Judge = lambda _part, _at: ()
) -> tuple[ReferralRequest, ...]:
    """The requests of a file, or of standard input for `-`. Raises `Refused` naming everything that is wrong."""
    return parse(_read(path, standard_input), judge)


def parse(content: bytes, judge: Judge = lambda _part, _at: ()) -> tuple[ReferralRequest, ...]:
    """Line ends and tabs of the texts are made what may travel; every other character is kept or refused."""
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
    """In the list's order, with all that can be judged beside it at other places."""
    items = enumerate(document) if isinstance(document, list) else [(-1, document)]
    places = {each.path for each in found}
    for place, item in items:
        if isinstance(item, dict):
            judged = _judged(partly(ReferralRequest, item), f"[{place}]." if place >= 0 else "", judge)
            found += [each for each in judged if each.path not in places]
    return sorted(found, key=lambda each: _place(each.path))


def _judged(part: ReferralRequest, at: str, judge: Judge) -> list[Refused]:
    """The rules across fields, the codes, and what `judge` finds; the first of each place."""
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
    """A JSON object that remembers which field stood in it twice: elsewhere the last one silently wins."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs) if len(self) < len(pairs) else Counter[str]()
        self.twice = tuple(name for name in self if times[name] > 1)


def _repeated(value: Any, path: str, model: type[BaseModel] | None) -> Iterator[Refused]:
    """Every field that stands twice. Only names of ours come into a path: what an unknown field holds is passed over,
    and that it is unknown is told anyway."""
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
