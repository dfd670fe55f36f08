"""Whoever looks at what is sealed stands in the audit; whoever only asks where it is does not."""

import sqlite3
from contextlib import closing

from tests.kit.command import Command
from tests.unit.deploy.app.conftest import Federation


def _showed(federation: Federation) -> list[object]:
    return [row for row in federation.recipient.rows()["audit"] if "showed" in row]


def test_show_and_inbox_leave_an_entry_and_why_leaves_none(federation: Federation, command: Command) -> None:
    command(federation.recipient, "why", federation.referral)
    assert _showed(federation) == []
    command(federation.recipient, "show", federation.referral)
    assert len(_showed(federation)) == 1
    command(federation.recipient, "inbox")
    assert len(_showed(federation)) == 2


def test_a_held_event_is_shown_as_held_and_not_as_refused(federation: Federation, command: Command) -> None:
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite")) as connection, connection:
        connection.execute("UPDATE outbox SET state = 'held', code = 'REGISTER_NEWER'")
    shown = command(federation.sender, "show", federation.referral).out
    assert "held, REGISTER_NEWER" in shown
    assert "refused" not in shown


def test_a_referral_that_a_person_has_published_stands_in_the_audit_as_asked_by_the_command(
    federation: Federation,
) -> None:
    sent = [row for row in federation.sender.rows()["audit"] if "sent" in row]
    assert sent
    assert all("command" in row for row in sent)
