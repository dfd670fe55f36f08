"""Reading what `publish FILE` is given: one referral as JSON, or a list. Bounded, and never quoted in an error."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from producers.refusals import refused, unknown_code_refusals
from referral_bus.errors import Reason, Refused, Unreachable, refused_together
from schemas.bounded_json import Bounds, NotJson, OutOfBounds, load_json
from schemas.problems import problems
from schemas.referral_request import MOST_REQUESTS, ReferralRequest, parse_requests, well_formed
from schemas.text import tidy_all

MAX_FILE = 16 * 1024 * 1024  # bytes: 500 referrals of the largest size, with room for JSON's own signs
BOUNDS = Bounds(size=MAX_FILE, values=900 * MOST_REQUESTS, items=MOST_REQUESTS)  # a full referral has 200

_OUT_OF_BOUNDS = {
    "size": "the file is over 16 MiB; hand it in in parts",
    "items": f"the list holds more than {MOST_REQUESTS} referrals; hand it in in parts",
    "values": "it holds more values than a list of referrals can; hand it in in parts",
    "depth": "its brackets are nested deeper than a referral's",
}


def read_requests(path: str, standard_input: Callable[[], BinaryIO]) -> tuple[ReferralRequest, ...]:
    """The requests of a file, or of standard input for `-`. Raises `Refused` naming everything that is wrong."""
    return parse(_read(path, standard_input))


def parse(content: bytes) -> tuple[ReferralRequest, ...]:
    """Line ends and tabs of the texts are made what may travel; every other character is kept or refused."""
    document = _document(content)
    text = json.dumps(tidy_all(document), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        raise Refused(Reason.VALUE_REFUSED, f"a text holds {half}, which is half a character; remove it") from None
    try:
        requests = parse_requests(text)
    except ValidationError as error:
        raise refused_together(_mistakes(error, text)) from None
    _refuse_repeated(document, "")
    return requests


def _mistakes(error: ValidationError, text: str) -> list[Refused]:
    """What is wrong in form, and the unknown codes of those in a list whose form is right, in the list's order."""
    found = [refused(problem, ReferralRequest) for problem in problems(error)]
    for place, request in well_formed(text):
        found += unknown_code_refusals(request, f"[{place}].")
    return sorted(found, key=lambda each: _place(each.path))


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
        self.twice = next((name for name in self if times[name] > 1), None)


def _refuse_repeated(value: Any, path: str) -> None:
    """Of JSON that is a request by its last fields, so that every name in the path is one of ours."""
    if isinstance(value, list):
        for place, item in enumerate(value):
            _refuse_repeated(item, f"{path}[{place}]")
    elif isinstance(value, _Object):
        if value.twice is not None:
            inner = f"{path}.{value.twice}".removeprefix(".")
            raise Refused(Reason.VALUE_REFUSED, "this field stands here twice; keep one", inner)
        for name, item in value.items():
            _refuse_repeated(item, f"{path}.{name}".removeprefix("."))


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
