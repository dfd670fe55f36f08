"""`inbox` while looking takes nothing and advises nothing that would; taking says what it takes."""

import sqlite3
from contextlib import closing

import pytest

from tests.kit.command import Command, assert_refused
from tests.kit.homes import Agency, Post
from tests.unit.deploy.app.conftest import Federation

CONSUMERS = {"handler": '"our_system:handler"', "webhook_url": '"https://case-system.example/referrals"'}


def waiting(agency: Agency) -> int:
    """Events that are not handed over."""
    with closing(sqlite3.connect(agency.home / "ledger.sqlite")) as ledger:
        return int(ledger.execute("SELECT count(*) FROM handovers WHERE done_at IS NULL").fetchone()[0])


def test_looking_takes_nothing_and_does_not_advise_it(federation: Federation, command: Command, post: Post) -> None:
    post.refer("Synthetic: another need.")
    for options in ((), ("--most", 1), ("--after", 0)):
        said = command(federation.recipient, "inbox", *options)
        assert said.code == 0
        assert "--after" not in said.out
        assert waiting(federation.recipient) == 2
    assert "1 of 2 received" in command(federation.recipient, "inbox", "--most", 1).out


@pytest.mark.parametrize("setting", CONSUMERS)
def test_beside_a_webhook_or_handler_passing_a_cursor_needs_take(
    setting: str, federation: Federation, command: Command
) -> None:
    cursor = command(federation.recipient, "inbox", "--json").document["cursor"]
    federation.recipient.set_to(**{setting: CONSUMERS[setting]})
    assert_refused(command(federation.recipient, "inbox", "--after", cursor), "FIELD_MISSING", "--take")
    assert waiting(federation.recipient) == 1
    taken = command(federation.recipient, "inbox", "--after", cursor, "--take")
    assert (taken.code, taken.out) == (0, f"taken: 1 event up to cursor {cursor}\nnothing new\n")
    assert waiting(federation.recipient) == 0


def test_a_program_that_pulls_needs_no_take_and_hears_what_it_took(federation: Federation, command: Command) -> None:
    cursor = command(federation.recipient, "inbox", "--json").document["cursor"]
    for taken in (1, 0):
        assert command(federation.recipient, "inbox", "--after", cursor, "--json").document["taken"] == taken


def test_take_without_a_cursor_takes_nothing(federation: Federation, command: Command) -> None:
    assert_refused(command(federation.recipient, "inbox", "--take"), "FIELD_MISSING", "--after")
    assert waiting(federation.recipient) == 1
