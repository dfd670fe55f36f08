"""What commands print: lines for people, or with --json one document. Text from other agencies is data: whatever could
steer a terminal is shown as a mark, never sent."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

_NOT_ASCII = re.compile(r"[^ -~]")


def printable(text: str) -> str:
    """One line without control, format or unassigned characters, which could move the cursor or turn text round."""
    return _NOT_ASCII.sub(lambda found: "\ufffd" if _steers(found[0]) else found[0], text)


def _steers(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category[0] == "C" or category in ("Zl", "Zp")


def say(line: str) -> None:
    sys.stdout.write(printable(line) + "\n")


def say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def say_json(document: Any) -> None:
    """One JSON document; letters as they are, and escaped whatever could steer a terminal."""
    text = json.dumps(document, default=_plain, ensure_ascii=False, indent=2)
    sys.stdout.write(_NOT_ASCII.sub(lambda found: _escaped(found[0]), text) + "\n")


def _escaped(sign: str) -> str:
    return json.dumps(sign)[1:-1] if sign != "\n" and _steers(sign) else sign


def say_error(line: str) -> None:
    sys.stderr.write(f"referral-bus: {printable(line)}\n")


def local_time(moment: datetime, zone: str) -> str:
    """As in 2026-11-23 19:05 +05:00. In UTC where the calendar ends before the local time: others choose deadlines."""
    try:
        shown = moment.astimezone(ZoneInfo(zone))
    except OverflowError:
        shown = moment.astimezone(UTC)
    offset = shown.strftime("%z")
    return f"{shown:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:]}"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, UUID | date | Enum):
        return str(value)
    from pydantic import BaseModel  # whoever hands in a model has it loaded

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(f"no JSON form for {type(value).__name__}")
