"""Pauses between tries double, up to a longest one, however often a try has failed."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from referral_bus.backoff import Backoff

SECOND = timedelta(seconds=1)
spans = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=30))


def test_each_pause_is_twice_the_one_before() -> None:
    backoff = Backoff(SECOND, timedelta(minutes=1))

    assert [backoff.pause(failures) / SECOND for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(spans, spans, st.integers(1, 10**9))
def test_no_pause_is_longer_than_the_longest_or_shorter_than_the_one_before(
    first: timedelta, longest: timedelta, failures: int
) -> None:
    backoff = Backoff(first, longest)

    assert backoff.pause(failures) <= backoff.pause(failures + 1) <= longest


@given(spans, spans, st.integers(1, 10**9))
def test_the_list_of_pauses_has_every_pause(first: timedelta, longest: timedelta, failures: int) -> None:
    backoff = Backoff(first, longest)
    listed = backoff.pauses()

    assert backoff.pause(failures) == listed[min(failures, max(listed))]
