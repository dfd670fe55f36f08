"""Shows the sealed part of an event as a page for people: every field that is set, found from the models, so that a
field added later is shown too. The fields that protect the person come first, in a box."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from deploy.app.output import local_time
from deploy.app.views.text_layout import wrapped
from schemas.personal import ReferralBody, SealedRecord, StatusBody

_SAFETY = (
    "safe_contact.do_not_contact",
    "safe_contact.who_may_answer",
    "caregiver.caregiver_informed",
    "caregiver.why_not",
    "safe_contact",
    "request.worker_sex_preference",
    "consent.withheld",
    "consent.share_back_allowed",
    "consent.onward_sharing",
)
"""The fields in the box, or whole records, in its order."""
_CLEAR_ALONE = re.compile("^safe contact (?=do |who |may )")
"""Labels that are clear without the record's name: `may leave message` is, `value` is not."""
_INDENT = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """One field that is set, with its value as text. `path`: its path in the model, as in `person.name`."""

    path: str
    text: str

    @property
    def label(self) -> str:
        """The label for people: `caregiver informed` for `caregiver.caregiver_informed`."""
        record, _, field = self.path.rpartition(".")
        return _words(field if record and field.startswith(f"{record}_") else self.path)


def set_fields(record: SealedRecord, zone: str, path: str = "") -> Iterator[Shown]:
    """Every field of a record that has a value, in the order of the model."""
    for name in type(record).model_fields:
        value, here = getattr(record, name), f"{path}{name}"
        records = [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, SealedRecord)]
        for one in records:
            yield from set_fields(one, zone, f"{here}.")
        if not records and value is not None and value != ():
            yield Shown(here, _text(value, zone))


def _text(value: object, zone: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, datetime):
        return local_time(value, zone)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return ", ".join(_text(item, zone) for item in value)
    return str(value)


def referral_page(body: ReferralBody, zone: str, width: int) -> Iterator[str]:
    """The lines of a referral's sealed part: the box, then the other fields, record by record."""
    shown = list(set_fields(body, zone))
    boxed = [one for begin in _SAFETY for one in shown if one.path == begin or one.path.startswith(f"{begin}.")]
    boxed = list(dict.fromkeys(boxed))
    yield "┏━ SAFETY: read this before you contact anyone"
    for one in boxed:
        yield from _field(one, _CLEAR_ALONE.sub("", one.label), width, "┃ ")
    yield "┗━"
    yield from _records([one for one in shown if one not in boxed], width)


def _records(shown: Sequence[Shown], width: int) -> Iterator[str]:
    record = None
    for one in shown:
        name, _, field = one.path.partition(".")
        if name != record:
            yield _words(name)
            record = name
        yield from _field(one, _words(field) or one.label, width, "  ")


def status_lines(body: StatusBody, zone: str, width: int, prefix: str) -> Iterator[str]:
    """The lines of a later event's sealed part, one for each field."""
    for one in set_fields(body, zone):
        yield from _field(one, one.label, width, prefix)


def status_words(body: StatusBody, zone: str) -> str:
    """A later event's sealed part in one line, for a list."""
    return ", ".join(f"{one.label}: {' / '.join(one.text.splitlines())}" for one in set_fields(body, zone))


def _field(one: Shown, label: str, width: int, prefix: str) -> Iterator[str]:
    """The lines of one field. A text of several lines keeps them; all but the first are indented, so that none looks
    like another field."""
    first, *further = one.text.splitlines()
    yield from wrapped(f"{label}: {first}", width, _INDENT, prefix)
    for line in further:
        yield from wrapped(line, width, 0, prefix + " " * _INDENT)


def _words(path: str) -> str:
    return path.replace("_", " ").replace(".", " ")
