"""What a person sees."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from consumers.monitor.overview import Overview
from deploy.app.output import say_json
from deploy.app.views.monitor_views import document, drawing
from referral_bus.federation.register import Register
from referral_bus.silence import SILENT_AFTER
from tests.kit.forge import a_referral, an_announcement, event_record, signed
from tests.kit.lookout import HEARTBEAT, a_notice, later, lookout, read_on
from tests.kit.registers import changed

SENDER, RECIPIENT, OFFICE, RARE = "family-women", "public-health", "law-university", "intilish"


def drawn(seen: Overview, register: Register, running: bool = True) -> str:
    page = Console(file=StringIO(), width=200, force_terminal=False)
    page.print(drawing(seen, register, running, "Asia/Tashkent"))
    assert isinstance(page.file, StringIO)
    return page.file.getvalue()


def test_when_nobody_has_to_act_it_says_so(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        page = drawn(monitor.overview(), bench.register)

        assert "Nothing needs a person now." in page
        assert "Flow monitor of test-federation: running; read up to 2026-11-23 19:00 +05:00" in page


def test_what_is_overdue_is_named_with_whom_to_call(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        monitor.hear(event_record(bench, referral))
        later(bench, monitor, timedelta(hours=25))

        page = drawn(monitor.overview(), bench.register)

        assert "not-stored" in page
        assert "referral desk, referrals@public-health.example, Mon-Sat 08:00-20:00" in page
        assert str(referral.referral_id)[:8] in page
        assert "1 hour late" in page


@pytest.mark.parametrize(
    ("agency", "connection", "limit"),
    [
        (SENDER, "always", 3 * HEARTBEAT),
        (OFFICE, "office-hours", SILENT_AFTER["office-hours"]),
        (RARE, "occasional", SILENT_AFTER["occasional"]),
    ],
)
def test_each_kind_of_connection_has_its_own_silence(
    agency: str, connection: str, limit: timedelta, tmp_path: Path
) -> None:
    with lookout(tmp_path, SENDER, OFFICE, RARE) as (bench, monitor):
        reading = timedelta(minutes=5)  # after a gap, so long that every agency could be heard again
        later(bench, monitor, limit - reading)
        read_on(bench, monitor, timedelta(0))
        assert agency not in {need.agency for need in monitor.need("silent")}

        later(bench, monitor, timedelta(seconds=1))
        monitor.read()
        assert ("silent", agency, connection) in monitor.needs()


def test_who_never_announced_itself_was_never_seen(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.lose_database()
        bench.broker.wipe()
        monitor.start()
        monitor.hear(signed(bench, an_announcement(bench, SENDER, 5)))

        assert monitor.needs() == [("never seen", RECIPIENT, "always")]


def test_what_an_agency_says_of_itself_stands_beside_what_we_know(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(signed(bench, an_announcement(bench, RECIPIENT, 5, open_referrals=41, overdue_referrals=17)))

        line = next(line for line in drawn(monitor.overview(), bench.register).splitlines() if "41" in line)

        assert line.split()[:3] == [RECIPIENT, "there,", "always"]
        assert line.split()[-5:] == ["0", "0", "41", "17", "0"]


def test_text_from_others_cannot_steer_the_terminal(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT)))
        later(bench, monitor, timedelta(hours=25))
        agencies = tuple(
            agency.model_copy(
                update={
                    "contacts": tuple(
                        contact.model_copy(update={"function": "\x1b[2J[bold]\u202edesk[/bold]"})
                        for contact in agency.contacts
                    )
                }
            )
            for agency in bench.register.content.agencies
        )
        monitor.own_register = changed(bench.register, agencies=agencies)

        page = drawn(monitor.overview(), monitor.register())

        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "[bold]" in page


def test_a_monitor_that_does_not_run_says_so(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        later(bench, monitor, timedelta(hours=1))

        page = drawn(monitor.overview(), bench.register, running=False)

        assert "NOT RUNNING; start it with: referral-bus monitor run" in page
        assert "what is shown here is old" in page


def test_the_document_is_json_with_everything_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        referral = a_referral(bench, SENDER, RECIPIENT)
        monitor.hear(event_record(bench, referral))
        later(bench, monitor, timedelta(hours=25))

        say_json(document(monitor.overview(), running=True))

        found = json.loads(capsys.readouterr().out)
        assert found["waiting"][0]["referral_id"] == str(referral.referral_id)
        (overdue,) = (need for need in found["needs"] if need["kind"] == "overdue")
        assert overdue["contact"]["mailbox"] == f"referrals@{RECIPIENT}.example"
        assert (found["running"], found["stale"]) == (True, True)
        assert found["flows"][0]["overdue"] == 1


def test_the_end_of_time_can_be_shown(tmp_path: Path) -> None:
    """A sender may put any deadline there; one that no time zone can show must not blind the operators."""
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        last = datetime.max.replace(tzinfo=UTC, microsecond=999000)
        monitor.hear(event_record(bench, a_referral(bench, SENDER, RECIPIENT, acknowledge_by=last, respond_by=last)))

        assert "9999-12-31 23:59 +00:00" in drawn(monitor.overview(), bench.register)
        assert monitor.open(RECIPIENT) == {"not-stored": 1}


def test_what_an_agency_cannot_send_is_for_the_operators_and_not_for_its_desk(tmp_path: Path) -> None:
    with lookout(tmp_path, SENDER, RECIPIENT) as (bench, monitor):
        monitor.hear(a_notice(bench, SENDER, code="NOT_SENT_TOPIC_MISSING"), a_notice(bench, RECIPIENT))
        page = drawn(monitor.overview(), bench.register)
        [line] = [line for line in page.splitlines() if "NOT_SENT_TOPIC_MISSING" in line]
        assert "the operators of the bus: make it with `register apply`" in line
        assert "referral desk" not in line
        [line] = [line for line in page.splitlines() if "CODE_UNKNOWN" in line]
        assert "referral desk" in line
