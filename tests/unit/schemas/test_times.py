"""Moments and days: read strictly, kept in UTC to the millisecond."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.problems import ProblemKind, problems
from schemas.times import Day, Instant, whole_milliseconds

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
DAY: TypeAdapter[date] = TypeAdapter(Day)
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2030-01-31T10:00:00+05:00", datetime(2030, 1, 31, 5, tzinfo=UTC)),
        ("2030-01-31T10:00Z", datetime(2030, 1, 31, 10, tzinfo=UTC)),
        ("2030-01-31T10:00:00.1239999-05:00", datetime(2030, 1, 31, 15, 0, 0, 123000, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
    ],
)
def test_a_time_with_an_offset_is_read_into_utc(text: str, moment: datetime) -> None:
    found = INSTANT.validate_json(f'"{text}"')
    assert (found, found.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    ("json", "kind"),
    [
        ('"2030-01-31T10:00:00"', "naive_time"),
        ('"2030-01-31"', "bad_value"),
        ('"2030-01-31 10:00:00Z"', "bad_value"),
        ('"2030-02-30T10:00:00Z"', "bad_value"),
        ('"2030-01-31T10:00:00+25:00"', "bad_value"),
        ('"1969-12-31T23:59:59.999Z"', "bad_value"),
        ('"0001-01-01T00:00:00+05:00"', "bad_value"),
        ('"9999-12-31T23:59:59-05:00"', "bad_value"),
        ('"1893456000"', "bad_value"),
        ('"٢٠٣٠-01-31T10:00:00Z"', "bad_value"),
        ("1893456000", "wrong_type"),
        ("1893456000.5", "wrong_type"),
        ("null", "wrong_type"),
        ("true", "wrong_type"),
    ],
)
def test_anything_else_is_no_time(json: str, kind: ProblemKind) -> None:
    with pytest.raises(ValidationError) as refused:
        INSTANT.validate_json(json)
    assert [problem.kind for problem in problems(refused.value)] == [kind]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime(2030, 1, 31), "naive_time"),  # noqa: DTZ001 (a naive time is what must be refused)
        (date(2030, 1, 31), "wrong_type"),
        ("2030-01-31T10:00:00Z", "wrong_type"),
        (1893456000, "wrong_type"),
    ],
)
def test_in_python_only_an_aware_datetime_is_a_time(value: object, kind: ProblemKind) -> None:
    with pytest.raises(ValidationError) as refused:
        INSTANT.validate_python(value)
    assert [problem.kind for problem in problems(refused.value)] == [kind]


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS))  # noqa: DTZ001 (naive bounds)
def test_a_moment_is_cut_once_and_then_never_changes(moment: datetime) -> None:
    cut = whole_milliseconds(moment)
    assert timedelta(0) <= moment - cut < timedelta(milliseconds=1)
    assert INSTANT.validate_python(moment) == cut == INSTANT.validate_python(cut)
    assert INSTANT.validate_json(INSTANT.dump_json(cut)) == cut


@given(st.dates(date(1900, 1, 1)))
def test_a_day_is_read_as_it_is_written(day: date) -> None:
    assert DAY.validate_json(DAY.dump_json(day)) == day == DAY.validate_python(day)


@pytest.mark.parametrize("json", ['"1899-12-31"', '"2030-1-31"', '"2030-02-30"', '"20300131"', '"0"', "0", "null"])
def test_anything_else_is_no_day(json: str) -> None:
    with pytest.raises(ValidationError):
        DAY.validate_json(json)


def test_a_datetime_is_no_day() -> None:
    with pytest.raises(ValidationError):
        DAY.validate_python(datetime(2030, 1, 31, tzinfo=UTC))
