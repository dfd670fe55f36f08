"""The verbs: one command for each row of the life cycle, and what they do not take."""

from itertools import count
from typing import Any
from uuid import UUID

import pytest

from deploy.app.agency_client import open_client
from deploy.app.cli import app, run
from producers.publish import publish
from producers.verbs import SAID_SEVERAL_TIMES
from schemas.lifecycle import MOVES, NOTES, Side
from tests.kit.command import NOTHING_LEAVES, PLANTED, Command, Ended, assert_refused
from tests.kit.homes import RECIPIENT, Agency, Post
from tests.kit.people import request
from tests.unit.deploy.app.conftest import Federation

NEEDS: dict[str, tuple[str, ...]] = {
    "reject": ("--reason", "no-capacity"),
    "hold": ("--text", "Waits for a paper."),
    "complete": ("--outcome", "provided"),
    "fail": ("--reason", "client-not-reached"),
    "note": ("--kind", "contact-attempted"),
    "ask": ("--text", "Which language?"),
    "answer": ("--text", "Uzbek."),
    "refuse-cancel": ("--text", "The service has begun."),
}
"""What a verb cannot do without."""


def refused(command: Command, agency: Agency, reason: str, path: str, *arguments: object) -> Ended:
    before = agency.rows()
    said = command(agency, *arguments)
    assert_refused(said, reason, path)
    assert agency.rows() == before
    return said


def test_every_row_of_the_life_cycle_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    for move in MOVES:
        assert f"  {move.verb} " in listed
        assert move.help in listed.replace("...", move.help)
        assert run([move.verb, "--help"]) == 0
        text = capsys.readouterr().out
        assert f"{move.help} By the {move.by}." in " ".join(text.split())
        for need in move.needs:
            option = {"outcome_reason": "--reason", "business_status": "--kind"}.get(need, f"--{need}")
            assert (option in text) == (move.business_status is None or need == "text")


def test_the_commands_of_the_table_are_the_only_verbs() -> None:
    verbs = {each.name for each in app.registered_commands if each.callback and each.callback.__name__ == "verb"}
    assert verbs == {move.verb for move in MOVES}


PATHS = [
    ["see", "accept", "start", "hold", "resume", "note", "ask", "complete"],
    ["accept", "start", "fail"],
    ["see", "reject"],
    ["accept", "complete"],
]


@pytest.mark.parametrize("verbs", PATHS, ids=["-".join(verbs) for verbs in PATHS])
def test_the_recipient_takes_a_referral_through_its_life(
    verbs: list[str], federation: Federation, command: Command
) -> None:
    for verb in verbs:
        said = command(federation.recipient, verb, federation.referral, *NEEDS.get(verb, ()))
        assert (said.code, said.err) == (0, NOTHING_LEAVES)
        assert said.out.startswith(f"{federation.referral}  {verb}: ")
    shown = command(federation.recipient, "show", federation.referral, "--json").document
    assert [step["way"] for step in shown["history"]] == ["received", *["sent"] * len(verbs)]


def test_the_sender_answers_and_asks_to_cancel_and_the_recipient_refuses_or_confirms(
    federation: Federation, command: Command, post: Post
) -> None:
    steps: list[tuple[Agency, str]] = [
        (federation.recipient, "accept"),
        (federation.recipient, "ask"),
        (federation.sender, "answer"),
        (federation.sender, "cancel"),
        (federation.recipient, "refuse-cancel"),
        (federation.sender, "cancel"),
        (federation.recipient, "confirm-cancel"),
    ]
    for agency, verb in steps:
        assert command(agency, verb, federation.referral, *NEEDS.get(verb, ())).err == NOTHING_LEAVES
        post.settle()
    for agency in (federation.sender, federation.recipient):
        assert command(agency, "show", federation.referral, "--json").document["status"] == "cancelled"


def test_a_move_that_the_status_does_not_allow_is_refused(federation: Federation, command: Command) -> None:
    for verb in ("accept", "complete"):
        assert command(federation.recipient, verb, federation.referral, *NEEDS.get(verb, ())).code == 0
    for move in MOVES:
        if move.by is Side.RECIPIENT:
            meant = () if move.verb in SAID_SEVERAL_TIMES else ("--again",)
            arguments = (move.verb, federation.referral, *NEEDS.get(move.verb, ()), *meant)
            said = refused(command, federation.recipient, "TRANSITION_REFUSED", move.verb, *arguments)
            assert "completed" in said.err


def test_a_cancellation_that_nobody_asked_for_is_neither_confirmed_nor_refused(
    federation: Federation, command: Command
) -> None:
    for verb in ("confirm-cancel", "refuse-cancel"):
        arguments = (verb, federation.referral, *NEEDS.get(verb, ()))
        refused(command, federation.recipient, "TRANSITION_REFUSED", verb, *arguments)


def test_each_side_makes_its_own_moves_only(federation: Federation, command: Command) -> None:
    for move in MOVES:
        wrong = federation.sender if move.by is Side.RECIPIENT else federation.recipient
        arguments = (move.verb, federation.referral, *NEEDS.get(move.verb, ()))
        said = refused(command, wrong, "TRANSITION_REFUSED", move.verb, *arguments)
        assert str(move.by) in said.err


IDS = ["00000000-0000-4000-8000-000000000000", "0000000", "", "12345", "%%%%%%%%", "______", PLANTED, "а" * 8]


@pytest.mark.parametrize("given", IDS, ids=range(len(IDS)))
def test_an_id_that_names_no_referral_here_is_refused(given: str, federation: Federation, command: Command) -> None:
    for verb in ("see", "show", "why"):
        refused(command, federation.recipient, "REFERRAL_UNKNOWN", "id", verb, given)


def test_somebody_elses_referral_is_unknown(federation: Federation, command: Command) -> None:
    refused(command, federation.other, "REFERRAL_UNKNOWN", "id", "accept", federation.referral)


def test_an_id_may_be_shortened_to_six_digits_and_no_further(federation: Federation, command: Command) -> None:
    digits = str(federation.referral)
    assert command(federation.recipient, "why", digits[:6]).code == 0
    assert command(federation.recipient, "why", digits[:13].upper()).code == 0
    refused(command, federation.recipient, "REFERRAL_UNKNOWN", "id", "why", digits[:5])


def test_a_beginning_that_several_ids_share_is_refused(federation: Federation, command: Command) -> None:
    ids = (UUID(f"abcdef00-0000-4000-8000-{number:012d}") for number in count())
    client = open_client(federation.sender.home)
    publish(client.ledger, client.register, [request(RECIPIENT)] * 2, client.clock, lambda: next(ids), "test")
    client.close()
    said = refused(command, federation.sender, "REFERRAL_UNKNOWN", "id", "show", "abcdef00")
    assert "several" in said.err


MISSING = [
    ("complete", "--outcome"),
    ("reject", "--reason"),
    ("hold", "--text"),
    ("fail", "--reason"),
    ("note", "--kind"),
    ("ask", "--text"),
]


@pytest.mark.parametrize(("verb", "field"), MISSING)
def test_what_a_verb_needs_is_asked_for(verb: str, field: str, federation: Federation, command: Command) -> None:
    for before in {"hold": ("accept", "start"), "fail": ("accept", "start"), "complete": ("accept",)}.get(verb, ()):
        assert command(federation.recipient, before, federation.referral).code == 0
    refused(command, federation.recipient, "FIELD_MISSING", field, verb, federation.referral)


APPOINTMENT = ("note", "--kind", "appointment-scheduled")
WRONG: list[tuple[str, str, tuple[str, ...]]] = [
    ("CODE_UNKNOWN", "--reason", ("reject", "--reason", "planted-7731")),
    ("VALUE_REFUSED", "--reason", ("reject", "--reason", PLANTED)),
    ("CODE_UNKNOWN", "--kind", ("note", "--kind", "planted-7731")),
    ("CODE_UNKNOWN", "--kind", ("note", "--kind", "information-requested")),
    ("VALUE_REFUSED", "--suggest", ("reject", "--reason", "no-capacity", "--suggest", PLANTED)),
    ("TIME_NAIVE", "--time", (*APPOINTMENT, "--time", "2030-01-01T10:00")),
    ("VALUE_REFUSED", "--time", (*APPOINTMENT, "--time", PLANTED)),
    ("VALUE_REFUSED", "--time", (*APPOINTMENT, "--time", "2030-01-01")),
    ("VALUE_REFUSED", "--time", (*APPOINTMENT, "--time", "1900-01-01T10:00+05:00")),
    ("VALUE_REFUSED", "--time", (*APPOINTMENT, "--time", "0001-01-01T00:00+05:00")),
    ("VALUE_REFUSED", "--time", (*APPOINTMENT, "--time", "9999-12-31T23:59-05:00")),
    ("FIELD_MISSING", "--time", (*APPOINTMENT, "--place", PLANTED)),
    ("VALUE_REFUSED", "--place", (*APPOINTMENT, "--time", "2030-01-01T10:00Z", "--place", "\x1b[2J")),
    ("VALUE_REFUSED", "--text", ("accept", "--text", f"{PLANTED}\x07")),
    ("VALUE_REFUSED", "--text", ("accept", "--text", "")),
    ("VALUE_REFUSED", "--text", ("accept", "--text", PLANTED * 200)),
    ("TOO_LARGE", "--local-ref", ("accept", "--local-ref", PLANTED * 20)),
    ("VALUE_REFUSED", "--local-ref", ("accept", "--local-ref", f"{PLANTED}\nsecond line")),
]


@pytest.mark.parametrize(
    ("reason", "path", "arguments"), WRONG, ids=[f"{row[0]}-{row[1]}-{i}" for i, row in enumerate(WRONG)]
)
def test_a_wrong_detail_is_named_and_nothing_is_written(
    reason: str, path: str, arguments: tuple[str, ...], federation: Federation, command: Command
) -> None:
    verb, *options = arguments
    said = refused(command, federation.recipient, reason, path, verb, federation.referral, *options)
    assert "planted-7731" not in said.err


def test_an_appointment_and_our_case_number_are_kept(federation: Federation, command: Command) -> None:
    options = ("--time", "2030-01-01T10:00+05:00", "--place", "Room 4", "--local-ref", "№ 17/4")
    said = command(federation.recipient, *APPOINTMENT[:1], federation.referral, *APPOINTMENT[1:], *options, "--json")
    assert said.document["status"] == "requested"
    shown: dict[str, Any] = command(federation.recipient, "show", federation.referral, "--json").document
    assert shown["local_ref"] == "№ 17/4"
    assert shown["history"][-1]["body"]["appointment"] == {"time": "2030-01-01T05:00:00Z", "place": "Room 4"}


def test_that_the_sender_has_left_is_a_warning_for_people_and_a_field_for_programs(
    federation: Federation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.app.agency_client.AgencyClient.believed", frozenset())
    assert command(federation.recipient, "see", federation.referral, "--json").document["other_left"] is True
    said = command(federation.recipient, "accept", federation.referral)
    assert said.err.startswith("referral-bus: warning: family-women has left the register: ")
    assert said.code == 0


def test_a_refused_verb_is_told_with_those_that_the_status_allows(federation: Federation, command: Command) -> None:
    said = command(federation.recipient, "resume", federation.referral)
    assert said.err.endswith("; it allows see, accept, reject, note, ask\n"), said.err


def test_a_note_without_its_kind_is_told_the_kinds_of_a_note_only(federation: Federation, command: Command) -> None:
    said = refused(command, federation.recipient, "FIELD_MISSING", "--kind", "note", federation.referral)
    assert said.err.endswith(f"accepted: one of {', '.join(sorted(NOTES))}\n")
