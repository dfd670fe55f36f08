"""Reads the subset of YAML that every parser reads alike: no duplicate keys, no aliases or anchors, no tags, no guessed
types.

`null`, `true`, `false` and decimal integers are values, everything else is text: `no` is Norway, and a date is a text
that the model parses. Reading always uses the parser in pure Python: libyaml, with which PyYAML may be built, could
read a signed file in another way.
"""

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

from referral_bus.errors import Reason, Refused

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 16
MAX_EVENTS = 60_000  # of the parser; the largest register that fits into a record has fewer

YamlValue: TypeAlias = "bool | int | str | tuple[YamlValue, ...] | dict[str, YamlValue] | None"

_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


def load_yaml(data: bytes, max_bytes: int = MAX_BYTES) -> YamlValue:
    """The one document of a file; lists become tuples. Raises `Refused` (REGISTER_INVALID), which names the line and
    quotes nothing of it."""
    if len(data) > max_bytes:
        raise Refused(Reason.REGISTER_INVALID, f"the file is over {max_bytes} bytes; make it smaller")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(data[: error.start].count(b"\n"), "this is not UTF-8; save the file as UTF-8") from None
    try:
        return _document(_counted(yaml.parse(text, Loader=yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        raise _refused(_line(error.problem_mark), "this is not YAML; mend the line") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position)
        raise _refused(line, "a character that YAML does not allow; remove it") from None
    except (ValueError, OverflowError):  # PyYAML raises these for impossible escapes and version numbers
        raise Refused(Reason.REGISTER_INVALID, "the file has an escape or a number that YAML does not allow") from None


def dump_yaml(value: object) -> bytes:
    """The bytes from which `load_yaml` reads the same value. No text in it may have a line separator other than a line
    feed, which PyYAML would fold; our text fields accept none."""
    text: str = yaml.dump(value, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=120)
    return text.encode("utf-8")


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  (PyYAML's signature)
        return True


def _counted(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    """Bounds the number of events: an event takes a hundred times the memory of its bytes, and time in proportion."""
    for count, event in enumerate(events):
        if count >= MAX_EVENTS:
            raise _refused(_line(event.start_mark), f"it holds more than {MAX_EVENTS} values; make it smaller")
        yield event


def _document(events: Iterator[yaml.Event]) -> YamlValue:
    next(events)  # the start of the stream
    start = next(events)
    if not isinstance(start, yaml.DocumentStartEvent):
        raise _refused(0, "the file is empty")
    if start.version or start.tags:
        raise _refused(_line(start.start_mark), "remove the line that begins with %")
    value = _value(next(events), events, 0)
    next(events)  # the end of the document
    after = next(events)
    if not isinstance(after, yaml.StreamEndEvent):
        raise _refused(_line(after.start_mark), "a second document begins; keep one")
    return value


def _value(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> YamlValue:
    line = _line(event.start_mark)
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise _refused(line, "anchors and aliases (& and *) are not taken; write the value out")
    if getattr(event, "tag", None) is not None:
        raise _refused(line, "tags (!) are not taken; remove it")
    if depth > MAX_DEPTH:
        raise _refused(line, f"values are nested more than {MAX_DEPTH} deep")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    if isinstance(event, yaml.SequenceStartEvent):
        return tuple(_value(item, events, depth + 1) for item in _until(events, yaml.SequenceEndEvent))
    return _mapping(events, depth)


def _mapping(events: Iterator[yaml.Event], depth: int) -> dict[str, YamlValue]:
    found: dict[str, YamlValue] = {}
    for key_event in _until(events, yaml.MappingEndEvent):
        line = _line(key_event.start_mark)
        key = _value(key_event, events, depth + 1)
        if not isinstance(key, str):
            raise _refused(line, "a key must be a text")
        if key in found:
            raise _refused(line, "this key stands here twice; keep one")
        found[key] = _value(next(events), events, depth + 1)
    return found


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.Event]:
    while not isinstance(event := next(events), end):
        yield event


def _scalar(event: yaml.ScalarEvent) -> bool | int | str | None:
    text: str = event.value
    if event.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _line(mark: Any) -> int:
    """The line of a mark, from 0; 0 without one. PyYAML has two classes of marks, so the parameter has no type."""
    line: int = mark.line if mark else 0
    return line


def _refused(line: int, advice: str) -> Refused:
    """`line` counts from 0, as PyYAML does."""
    return Refused(Reason.REGISTER_INVALID, advice, f"line {line + 1}")
