"""A sender hears that the recipient is silent, and is never prevented."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from deploy.app.views.why import STOPPED
from referral_bus.home import Home, running
from tests.kit.command import Command
from tests.kit.homes import OTHER
from tests.kit.people import request_document
from tests.unit.deploy.app.conftest import Federation


def test_a_referral_to_a_silent_agency_is_published_with_a_warning(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute("UPDATE peers SET heard_at = 1767225600000 WHERE code = ?", (OTHER,))
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(OTHER)))
    with running(Home(federation.sender.home)):
        said = command(federation.sender, "publish", file)
    assert said.code == 0
    assert "published" in said.out
    assert said.err.splitlines() == [
        f"referral-bus: warning: {OTHER} has been silent since 2026-01-01 05:00 +05:00; "
        "the referral is sent anyway, and waits for its service"
    ]


def test_without_a_running_service_of_our_own_it_is_published_and_said_that_nothing_leaves(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(OTHER)))
    said = command(federation.sender, "publish", file)
    assert (said.code, said.err) == (0, f"referral-bus: warning: {STOPPED}\n")
    [published] = command(federation.sender, "publish", file, "--json").document
    assert published["own_service"] == "stopped"
    looked = command(federation.sender, "why", published["referral_id"], "--json").document
    assert (looked["actor"], looked["own_service"]) == ("sender-operators", "stopped")
    assert f"; {STOPPED}; next must act our operators" in looked["sentence"]
    assert STOPPED in " ".join(command(federation.sender, "show", published["referral_id"]).out.split())
    with running(Home(federation.sender.home)):
        assert STOPPED not in command(federation.sender, "publish", file).err
        [published] = command(federation.sender, "publish", file, "--json").document
        assert published["own_service"] == "works"
        assert command(federation.sender, "why", published["referral_id"], "--json").document["own_service"] == "works"


def test_the_same_person_referred_again_to_the_same_agency_is_said_and_not_prevented(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(OTHER)))
    with running(Home(federation.sender.home)):
        [first] = command(federation.sender, "publish", file, "--json").document
        assert first["open_already"] == []
        said = command(federation.sender, "publish", file, "--again")
        [third] = command(federation.sender, "publish", file, "--again", "--json").document
    assert said.code == 0
    assert said.err == (
        f"referral-bus: warning: a referral of the same person to {OTHER} is open already: {first['referral_id']}\n"
    )
    assert first["referral_id"] in third["open_already"]
    assert len(third["open_already"]) == 2
