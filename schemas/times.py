"""Times and days in records: whole milliseconds in UTC, and calendar days. A time without an offset, and a number in
place of a time, are refused: their meaning would have to be guessed.
"""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import Strict, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError, PydanticKnownError

EARLIEST_YEAR = 1970
EARLIEST_DAY = date(1900, 1, 1)

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def whole_milliseconds(moment: datetime) -> datetime:
    """The same moment in UTC, rounded down to the millisecond, the unit of Avro's timestamp-millis."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _bad_time() -> PydanticCustomError:
    return PydanticCustomError("bad_time", "a time, as in 2030-01-31T10:00:00+05:00, from 1970 to 9999")


def _bad_day() -> PydanticCustomError:
    return PydanticCustomError("bad_day", "a day, as in 1990-01-31, from 1900 on")


def _instant(value: object, strictly: ValidatorFunctionWrapHandler, info: ValidationInfo) -> datetime:
    if info.mode == "json" and isinstance(value, str):
        if not _TIME.fullmatch(value):
            raise _bad_time()
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _bad_time() from None
    found: datetime = strictly(value)
    if found.utcoffset() is None:
        raise PydanticKnownError("timezone_aware")
    try:
        moment = whole_milliseconds(found)
    except OverflowError:
        raise _bad_time() from None
    if moment.year < EARLIEST_YEAR:
        raise _bad_time()
    return moment


def _day(value: object, strictly: ValidatorFunctionWrapHandler, info: ValidationInfo) -> date:
    if info.mode == "json" and isinstance(value, str):
        if not _DAY.fullmatch(value):
            raise _bad_day()
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise _bad_day() from None
    found: date = strictly(value)
    if found < EARLIEST_DAY:
        raise _bad_day()
    return found


Instant = Annotated[datetime, Strict(), WrapValidator(_instant)]
"""A moment: in JSON an ISO 8601 string with offset, in Python an aware datetime. The model holds it in UTC, in whole
milliseconds."""

Day = Annotated[date, Strict(), WrapValidator(_day)]
"""A calendar day: in JSON `YYYY-MM-DD`, in Python a date that is no datetime."""
