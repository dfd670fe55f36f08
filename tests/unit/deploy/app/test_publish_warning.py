"""A sender hears that the recipient is silent, and is never prevented."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.kit.people import request_document
from tests.unit.deploy.app.command import Command
from tests.unit.deploy.app.conftest import Federation
from tests.unit.deploy.app.homes import OTHER


def test_a_referral_to_a_silent_agency_is_published_with_a_warning(
    federation: Federation, command: Command, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(federation.sender.home / "ledger.sqlite", isolation_level=None)) as ledger:
        ledger.execute("UPDATE peers SET heard_at = 1767225600000 WHERE code = ?", (OTHER,))
    file = tmp_path / "referral.json"
    file.write_text(json.dumps(request_document(OTHER)))
    said = command(federation.sender, "publish", file)
    assert said.code == 0
    assert "published" in said.out
    assert said.err.splitlines() == [
        f"referral-bus: warning: {OTHER} has been silent since 2026-01-01 05:00 +05:00; "
        "it is sent all the same, and waits for them"
    ]
