"""Log lines: of ours and of libraries, on a disk that may be full, and never too many."""

import errno
import io
import json
import logging

import pytest

from referral_bus.logs import LibraryLines, Seldom, make_log
from tests.kit.bench import LogLines

PLANTED = "PLANTED-7731"


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


@pytest.fixture
def library() -> tuple[logging.Logger, LogLines]:
    lines, logger = LogLines(), logging.Logger("some.library")
    logger.addHandler(LibraryLines(make_log(lines)))
    return logger, lines


def test_a_librarys_warning_is_one_line_of_ours(library: tuple[logging.Logger, LogLines]) -> None:
    logger, lines = library
    logger.warning("cannot reach node %d", 1)
    line = json.loads(lines.text)
    assert (line["event"], line["level"], line["logger"]) == ("library", "warning", "some.library")
    assert line["message"] == "cannot reach node 1"


def test_of_a_librarys_exception_only_its_type_is_said(library: tuple[logging.Logger, LogLines]) -> None:
    logger, lines = library
    try:
        raise ValueError(PLANTED)
    except ValueError:
        logger.exception("reading failed")
    assert json.loads(lines.text)["error"] == "ValueError"
    assert PLANTED not in lines.text
    assert "Traceback" not in lines.text
