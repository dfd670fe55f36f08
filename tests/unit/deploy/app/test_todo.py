"""`todo`: what waits for this agency's people, the oldest first; `agencies --for-me`: whom they may refer to."""

import sqlite3
from contextlib import closing
from typing import Any

from tests.kit.command import Command
from tests.kit.homes import NOT_AGREED, OTHER, RECEIVES_NONE, RECIPIENT, SENDER, Agency, Post
from tests.unit.deploy.app.conftest import Federation


def tasks(command: Command, agency: Agency) -> list[dict[str, Any]]:
    document = command(agency, "todo", "--json").document
    assert (document["shown"], document["total"]) == (len(document["tasks"]), len(document["tasks"]))
    return list(document["tasks"])


def test_what_waits_for_another_side_is_not_listed(federation: Federation, command: Command) -> None:
    for agency in (federation.sender, federation.recipient):
        assert command(agency, "todo").out == "nothing waits for us\n"


def test_a_question_waits_for_the_sender_and_a_cancellation_for_the_recipient(
    federation: Federation, command: Command, post: Post
) -> None:
    for verb in (("accept", federation.referral), ("ask", federation.referral, "--text", "Synthetic?")):
        assert command(federation.recipient, *verb).code == 0
    post.settle()
    [question] = tasks(command, federation.sender)
    assert (question["what"], question["id"], question["peer"]) == ("question", str(federation.referral), RECIPIENT)
    assert "next: answer" in command(federation.sender, "todo").out
    assert tasks(command, federation.recipient) == []
    assert command(federation.sender, "cancel", federation.referral).code == 0
    post.settle()
    [cancellation] = tasks(command, federation.recipient)
    assert cancellation["what"] == "cancellation"
    assert cancellation["due"] is not None


def test_the_oldest_comes_first_and_what_is_left_out_is_said(
    federation: Federation, command: Command, post: Post
) -> None:
    later = post.refer("Synthetic: another need.")
    for referral in (later, federation.referral):
        assert command(federation.recipient, "accept", referral).code == 0
    assert [each["id"] for each in tasks(command, federation.recipient)] == [str(later), str(federation.referral)]
    assert command(federation.recipient, "todo", "--most", 1).out.endswith("\n1 of 2 wait for us\n")
    assert command(federation.recipient, "todo", "--most", 1, "--json").document["total"] == 2


def test_an_erasure_waits_for_those_whose_own_system_has_not_taken_it(
    federation: Federation, command: Command, post: Post
) -> None:
    command(federation.sender, "withdraw", federation.referral, "--yes")
    post.settle()
    [erasure] = tasks(command, federation.recipient)
    assert (erasure["what"], erasure["id"], erasure["overdue"]) == ("erasure", str(federation.referral), False)
    assert tasks(command, federation.sender) == []
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute("UPDATE tombstones SET asked_at = 1767225600000")
    [late] = tasks(command, federation.sender)
    assert (late["what"], late["overdue"]) == ("erasure", True)


def test_whom_we_may_refer_to_for_what_and_whether_there_is_room(federation: Federation, command: Command) -> None:
    found = {
        each["agency"]: each
        for each in command(federation.sender, "agencies", "--for-me", "--json").document["agencies"]
    }
    assert {RECIPIENT, OTHER} <= set(found)
    assert not {SENDER, RECEIVES_NONE} & set(found)
    assert all(each["for_me"] for each in found.values())
    everyone = {each["agency"]: each for each in command(federation.sender, "agencies", "--json").document["agencies"]}
    assert {code for code, each in everyone.items() if each["for_me"]} == set(found)
    of_other = {
        each["agency"] for each in command(federation.other, "agencies", "--for-me", "--json").document["agencies"]
    }
    assert NOT_AGREED not in of_other


def test_the_room_is_what_was_announced(federation: Federation, command: Command) -> None:
    said = command(federation.sender, "agencies", "--for-me").out
    assert "(open)" in said or "(room not announced)" in said
