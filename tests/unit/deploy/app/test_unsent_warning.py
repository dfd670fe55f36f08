"""Every command that writes something for others says when our own service cannot send it."""

import pytest

from referral_bus.home import Home, running
from tests.kit.command import NOTHING_LEAVES, Command
from tests.unit.deploy.app.conftest import Federation

WRITES = [("see",), ("accept",), ("withdraw", "--yes")]


@pytest.mark.parametrize("words", WRITES, ids=[words[0] for words in WRITES])
def test_what_is_written_while_our_own_service_is_stopped_is_said_not_to_leave(
    words: tuple[str, ...], federation: Federation, command: Command
) -> None:
    verb, *options = words
    said = command(federation.recipient, verb, federation.referral, *options)
    assert (said.code, said.err) == (0, NOTHING_LEAVES)


@pytest.mark.parametrize("words", WRITES, ids=[words[0] for words in WRITES])
def test_a_running_service_needs_no_warning(words: tuple[str, ...], federation: Federation, command: Command) -> None:
    verb, *options = words
    with running(Home(federation.recipient.home)):
        said = command(federation.recipient, verb, federation.referral, *options)
    assert (said.code, said.err) == (0, "")


def test_a_program_reads_it_in_the_answer(federation: Federation, command: Command) -> None:
    assert command(federation.recipient, "accept", federation.referral, "--json").document["own_service"] == "stopped"
    erased = command(federation.recipient, "withdraw", federation.referral, "--yes", "--json").document
    assert erased["own_service"] == "stopped"


@pytest.mark.parametrize("options", [(), ("--for-me",)])
def test_agencies_says_that_what_is_heard_is_old_while_our_own_service_is_stopped(
    options: tuple[str, ...], federation: Federation, command: Command
) -> None:
    said = command(federation.sender, "agencies", *options)
    assert said.code == 0
    assert said.err == (
        "referral-bus: warning: our own service is not running; start it with `referral-bus agency run`: "
        "what is shown here of other agencies may be old\n"
    )
    with running(Home(federation.sender.home)):
        assert command(federation.sender, "agencies", *options).err == ""


def test_a_program_reads_from_agencies_how_our_own_service_does_and_when_the_others_were_last_heard(
    federation: Federation, command: Command
) -> None:
    stopped = command(federation.sender, "agencies", "--json").document
    heard = [each["heard_at"] for each in stopped["agencies"] if each["heard_at"]]
    assert (stopped["own_service"], stopped["last_heard_at"]) == ("stopped", max(heard))
    with running(Home(federation.sender.home)):
        assert command(federation.sender, "agencies", "--json").document["own_service"] == "works"
