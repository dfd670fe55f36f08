"""Text from other agencies is data: it never steers a terminal, whatever is in it."""

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.app.output import local_time, printable, say, say_error, say_json
from tests.kit.command import Command
from tests.kit.homes import RECIPIENT, Post
from tests.kit.people import request
from tests.unit.deploy.app.conftest import Federation

HOSTILE = [
    "\x1b[2J\x1b[1;1Hgone",
    "\x1b]8;;https://example.org\x07link\x1b]8;;\x07",
    "\x9b31mred",
    "\x7f\x08\x08\x08",
    "admin\u202egnp.exe",
    "\u2066hidden\u2069",
    "two\u2028lines\u2029here",
    "12\u200f34\u200e56\u061c78",
    "old\u206aand\ufff9noted",
    "tags\U000e0041\U000e007f",
    "private\ue000\U000f0000",
    "half\ud83d",
    "line\nline\rline\x0b\x0c\x85",
    "\x00",
]
ALLOWED = "[bold red]oʻzbek[/] Ўзбек 漢字 😀 é → “x”"
JOINED = ["علی\u200cرضا", "क्\u200dष", "👩\u200d👧", "ខ្មែរ\u200bខ្មែរ", "a\u2060b\u00adc", "\u0600\u0661"]
"""Names and words that need a character which is not seen."""


def steers(text: str) -> bool:
    return any(
        unicodedata.category(sign) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
        or unicodedata.bidirectional(sign) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or sign in "\u061c\u200e\u200f"
        or "\u206a" <= sign <= "\u206f"
        or "\ufff9" <= sign <= "\ufffb"
        or "\U000e0000" <= sign <= "\U000e007f"
        for sign in text
    )


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_whatever_could_steer_a_terminal_is_shown_as_a_mark(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert not steers(printable(text))
    assert len(printable(text)) == len(text)
    say(text)
    say_error(text)
    captured = capsys.readouterr()
    for written in captured:
        assert written.count("\n") == 1
        assert not steers(written[:-1])


def test_letters_of_any_script_and_markup_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    say(ALLOWED)
    say_json([ALLOWED])
    assert capsys.readouterr().out == f'{ALLOWED}\n[\n  "{ALLOWED}"\n]\n'


@pytest.mark.parametrize("text", JOINED, ids=ascii)
def test_joiners_are_part_of_how_a_name_is_spelt(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(text) == text
    say_json(text)
    assert capsys.readouterr().out == f'"{text}"\n'


@given(st.recursive(st.text() | st.sampled_from(HOSTILE), lambda inner: st.dictionaries(st.text(), inner, max_size=3)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_json_document_is_the_same_when_read_back_and_steers_nothing(
    capsys: pytest.CaptureFixture[str], document: object
) -> None:
    say_json(document)
    written = capsys.readouterr().out
    assert json.loads(written) == document
    assert not steers(written.replace("\n", ""))


def test_what_another_agency_wrote_is_shown_harmlessly(federation: Federation, command: Command, post: Post) -> None:
    """What the contract lets through: markup, and format characters that no script can do without."""
    need = "[red]PLANTED[/red] \u200f[link=https://example.org]x[/link]\nsecond\U000e0041 line"
    referral = post.refer(need)
    assert command(federation.recipient, "accept", referral, "--text", "[blink]\u00adx[/blink]").code == 0
    post.settle()
    for agency in (federation.sender, federation.recipient):
        for arguments in (("show", referral), ("show", referral, "--json"), ("inbox",), ("inbox", "--json")):
            said = command(agency, *arguments)
            assert said.code == 0
            assert not steers(said.out.replace("\n", ""))
        lines = command(agency, "show", referral).out
        assert "need: [red]PLANTED[/red] \ufffd[link=https://example.org]x[/link]\n      second\ufffd line\n" in lines
    assert request(RECIPIENT, need=need).body.request.need == need


def test_a_deadline_without_a_local_time_is_shown_in_utc() -> None:
    """Another agency chooses it, and it may end no listing."""
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert local_time(last, "Asia/Tashkent") == "9999-12-31 23:59 +00:00"
    assert local_time(last, "America/New_York") == "9999-12-31 18:59 -05:00"
