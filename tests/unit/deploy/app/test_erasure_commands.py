"""`withdraw`, `entered-in-error`, `erasures`, and what the others say of an erased referral."""

import io
import sqlite3
from contextlib import closing

import pytest

from deploy.app.agency_client import open_client
from deploy.app.views.erasure_views import erasure_document, erasure_lines, erasure_sentence
from producers.publish import publish
from tests.kit.command import Command, assert_refused
from tests.kit.homes import OTHER, RECIPIENT, SENDER, Agency, Post
from tests.kit.people import PLANTED_NAME, request
from tests.kit.traces import traces
from tests.unit.deploy.app.conftest import NEED, Federation


def test_a_withdrawal_is_told_in_one_sentence_and_stands_on_both_sides(
    federation: Federation, command: Command, post: Post
) -> None:
    said = command(federation.sender, "withdraw", federation.referral, "--yes")
    assert said.code == 0
    assert "was erased here" in said.out
    assert "has not erased it yet" in said.out
    post.settle()
    for agency, waits in ((federation.sender, "whose own system has not confirmed"), (federation.recipient, "our own")):
        for verb in ("show", "why"):
            told = command(agency, verb, str(federation.referral)[:8])
            assert told.code == 0
            assert waits in told.out
    command(federation.recipient, "inbox", "--after", 2)
    post.settle()
    sentence = command(federation.sender, "why", federation.referral).out
    assert "confirmed by both sides; nothing is left to do" in sentence
    assert command(federation.sender, "erasures").out == "every erasure is confirmed\n"


def test_the_documents_of_an_erasure_tell_erased_and_confirmed_apart(
    federation: Federation, command: Command, post: Post
) -> None:
    first = command(federation.sender, "withdraw", federation.referral, "--yes", "--json").document
    assert (first["reason"], first["status"], first["peer_erased_at"]) == ("withdrawn", "requested", None)
    post.settle()
    shown = command(federation.sender, "show", federation.referral, "--json").document
    assert shown["status"] == "cancelled"
    assert shown["peer_erased_at"] is not None
    assert shown["peer_confirmed_at"] is None
    assert [each["id"] for each in command(federation.sender, "erasures", "--json").document["erasures"]] == [
        str(federation.referral)
    ]
    inbox = command(federation.recipient, "inbox", "--json").document["events"]
    assert [(each["record"], each["kind"], each["reason"]) for each in inbox] == [
        ("ErasureEvent", "requested", "withdrawn")
    ], "what had not been handed over before never is"
    assert inbox[0]["body"] is None


def test_only_the_sender_enters_in_error(federation: Federation, command: Command) -> None:
    refused = command(federation.recipient, "entered-in-error", federation.referral, "--yes")
    assert_refused(refused, "TRANSITION_REFUSED", "entered-in-error")
    assert command(federation.sender, "entered-in-error", federation.referral, "--yes").code == 0


def test_entered_in_error_is_told_in_a_document_too(federation: Federation, command: Command) -> None:
    document = command(federation.sender, "entered-in-error", federation.referral, "--yes", "--json").document
    assert (document["reason"], document["side"]) == ("entered-in-error", "sender")


@pytest.mark.parametrize("verb", [("withdraw", "--yes"), ("entered-in-error", "--yes"), ("accept",), ("cancel",)])
def test_about_an_unknown_referral_each_says_so(
    federation: Federation, command: Command, verb: tuple[str, ...]
) -> None:
    assert_refused(command(federation.sender, *verb, "0" * 32), "REFERRAL_UNKNOWN", "id")


def test_the_other_verbs_say_that_it_was_erased(federation: Federation, command: Command) -> None:
    command(federation.sender, "withdraw", federation.referral, "--yes")
    assert_refused(command(federation.sender, "cancel", federation.referral), "REFERRAL_ERASED", "id")


def test_after_it_neither_home_holds_the_name_or_the_need(federation: Federation, command: Command, post: Post) -> None:
    homes = [federation.sender.home, federation.recipient.home]
    assert command(federation.recipient, "show", federation.referral).out.count(PLANTED_NAME) == 1
    command(federation.recipient, "withdraw", federation.referral, "--yes")
    post.settle()
    assert command(federation.sender, "agency", "backup", homes[0] / "after.backup").code == 0
    for planted in (PLANTED_NAME, NEED):
        assert traces(homes, planted) == []


def test_the_key_and_what_it_encrypted_are_gone_from_every_file_too(
    federation: Federation, command: Command, post: Post
) -> None:
    """They would be worth nothing without the home's key, but that is still there."""
    kept = {code: _kept(agency) for code, agency in (("s", federation.sender), ("r", federation.recipient))}
    assert all(kept.values())
    command(federation.sender, "withdraw", federation.referral, "--yes")
    post.settle()
    assert (
        command(federation.recipient, "withdraw", federation.referral, "--yes").code == 0
    )  # and with it empties the log
    for agency, secrets in ((federation.sender, kept["s"]), (federation.recipient, kept["r"])):
        files = {path.name: path.read_bytes() for path in agency.home.rglob("*") if path.is_file()}
        assert [name for name, content in files.items() for secret in secrets if secret in content] == []


def _kept(agency: Agency) -> list[bytes]:
    """What is encrypted in the ledger with its key, and what is sealed in its outbox; not the part in clear, which the
    host has seen."""
    columns = ("body_key FROM referrals", "body FROM events", "substr(value, -200) FROM outbox")
    with closing(sqlite3.connect(agency.home / "ledger.sqlite")) as connection:
        rows = [row for column in columns for row in connection.execute(f"SELECT {column}")]
    return [value for (value,) in rows if value is not None]


def test_of_two_agencies_referrals_with_one_id_show_and_why_tell_the_one_whose_sender_is_named(
    federation: Federation, command: Command
) -> None:
    """One is erased, the other stands."""
    client = open_client(federation.recipient.home)
    publish(client.ledger, client.register, [request(SENDER)], client.clock, lambda: federation.referral, "test")
    client.close()
    assert command(federation.recipient, "withdraw", f"{SENDER}/{federation.referral}", "--yes").code == 0
    for verb in ("show", "why"):
        said = command(federation.recipient, verb, federation.referral)
        assert_refused(said, "REFERRAL_UNKNOWN", "id")
        assert f"{SENDER}/ID or {RECIPIENT}/ID" in said.err
        assert "was erased here" in command(federation.recipient, verb, f"{SENDER}/{federation.referral}").out
        assert "erased" not in command(federation.recipient, verb, f"{RECIPIENT}/{str(federation.referral)[:6]}").out


class Terminal(io.StringIO):
    """A person at a terminal who types this."""

    def isatty(self) -> bool:
        return True


def at_terminal(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)


@pytest.mark.parametrize("verb", ["withdraw", "entered-in-error"])
def test_before_anything_is_erased_it_is_shown_and_asked(
    verb: str, federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_terminal("n\n", monkeypatch)
    kept = command(federation.sender, verb, federation.referral)
    assert kept.code == 2
    for shown in (str(federation.referral), PLANTED_NAME, RECIPIENT, "mhpss"):
        assert shown in kept.out
    assert kept.out.endswith("nothing was erased\n")
    assert "requested" in command(federation.sender, "show", federation.referral).out
    at_terminal("y\n", monkeypatch)
    erased = command(federation.sender, verb, federation.referral)
    assert erased.code == 0
    assert "was erased here" in erased.out


@pytest.mark.parametrize("verb", ["withdraw", "entered-in-error"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_where_there_is_no_one_to_ask_nothing_is_erased_without_yes(
    verb: str, options: tuple[str, ...], federation: Federation, command: Command
) -> None:
    said = command(federation.sender, verb, federation.referral, *options)
    assert said.code == 2
    assert "FIELD_MISSING" in said.err + said.out
    assert "--yes" in said.err + said.out
    assert "requested" in command(federation.sender, "show", federation.referral).out


@pytest.mark.parametrize("verb", ["withdraw", "entered-in-error"])
def test_what_goes_to_a_file_asks_no_one_and_puts_nothing_of_the_person_there(
    verb: str, federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert_refused(command(federation.sender, verb, federation.referral), "FIELD_MISSING", "--yes")
    assert "requested" in command(federation.sender, "show", federation.referral).out


@pytest.mark.parametrize("verb", ["withdraw", "entered-in-error"])
def test_a_shortened_id_erases_nothing(verb: str, federation: Federation, command: Command) -> None:
    short = str(federation.referral)[:8]
    for name in (short, f"{SENDER}/{short}", "", str(federation.referral)[:-1]):
        assert_refused(command(federation.sender, verb, name, "--yes"), "VALUE_REFUSED", "id")
    assert "requested" in command(federation.sender, "show", federation.referral).out


def test_what_is_erased_already_needs_no_question(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_terminal("", monkeypatch)
    first = command(federation.sender, "withdraw", federation.referral, "--yes")
    assert command(federation.sender, "withdraw", federation.referral) == first


def test_an_erasure_that_an_agency_that_has_left_cannot_confirm_is_shown_as_that_and_is_never_overdue(
    federation: Federation, command: Command
) -> None:
    command(federation.sender, "withdraw", federation.referral, "--yes")
    client = open_client(federation.sender.home)
    try:
        left = client.erased(str(federation.referral))
        assert left is not None
        late = client.clock() + 2 * client.settings.unconfirmed_after
        [waits] = erasure_lines([left], late, client.settings, {RECIPIENT})
        assert waits.endswith("has not erased it yet  OVERDUE")
        [alone] = erasure_lines([left], late, client.settings, {OTHER})
        assert f"{RECIPIENT} has left the register and can confirm nothing" in alone
        assert not alone.endswith("OVERDUE")
        said = erasure_sentence(left, late, client.settings, {OTHER})
        assert said.endswith("its successor or the stewards must settle; nothing is left to do.")
        assert [erasure_document(left, {code})["other_left"] for code in (RECIPIENT, OTHER)] == [False, True]
    finally:
        client.close()


def test_how_many_erasures_were_left_out_is_said(federation: Federation, command: Command, post: Post) -> None:
    for referral in (federation.referral, post.refer("Synthetic: another need.")):
        assert command(federation.sender, "withdraw", referral, "--yes").code == 0
    assert command(federation.sender, "erasures", "--most", 1).out.endswith("\n1 of 2 shown; --most shows more\n")
    document = command(federation.sender, "erasures", "--most", 1, "--json").document
    assert (document["shown"], document["total"], len(document["erasures"])) == (1, 2, 1)


def test_a_shortened_id_is_refused_before_anything_is_asked(federation: Federation, command: Command) -> None:
    said = command(federation.recipient, "withdraw", str(federation.referral)[:8])
    assert_refused(said, "VALUE_REFUSED", "id")
