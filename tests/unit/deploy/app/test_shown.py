"""Whoever looks at what is sealed stands in the audit; whoever only asks where it is does not."""

from tests.unit.deploy.app.command import Command
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
