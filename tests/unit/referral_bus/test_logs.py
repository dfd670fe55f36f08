"""Log lines, on a disk that may be full, and never too many."""

import errno
import io

from referral_bus.logs import Seldom, make_log


class FullDisk(io.StringIO):
    """A stream whose disk is full from the first byte on."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_a_full_disk_does_not_take_stops_nobody() -> None:
    make_log(FullDisk()).error("ledger_full")


def test_the_same_is_said_once_a_minute_and_another_thing_at_once() -> None:
    now = 0.0
    seldom = Seldom(lambda: now)
    assert [seldom("relay", "LEDGER_UNREACHABLE") for _ in range(3)] == [True, False, False]
    assert seldom("ingest", "LEDGER_UNREACHABLE")
    now = 59.9
    assert not seldom("relay", "LEDGER_UNREACHABLE")
    now = 60.0
    assert seldom("relay", "LEDGER_UNREACHABLE")


def test_what_was_said_is_remembered_in_bounds() -> None:
    seldom = Seldom(lambda: 0.0)
    for number in range(10 * Seldom.MOST):
        seldom(str(number))
    assert len(seldom._said) <= Seldom.MOST
