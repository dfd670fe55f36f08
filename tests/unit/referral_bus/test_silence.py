"""Silence is judged by how an agency is connected."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from deploy.demo.federation import example_template
from referral_bus.federation.register import read_register
from referral_bus.ledger.peers import Peer
from referral_bus.silence import SILENT_AFTER, presence
from schemas.events import AgencyAnnouncement

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
ANY_AGENCY = read_register(example_template()).content.agencies[0]


def _heard(before: timedelta) -> Peer:
    announcement = cast(AgencyAnnouncement, object())  # that there is one is all that counts here
    return Peer(ANY_AGENCY.code, 1, announcement, NOW - before)


@pytest.mark.parametrize("connection", SILENT_AFTER)
def test_an_agency_is_silent_only_after_what_its_connection_explains(connection: str) -> None:
    agency = ANY_AGENCY.model_copy(update={"connection": connection})
    limit = SILENT_AFTER[agency.connection]
    assert not presence(agency, _heard(limit), NOW).silent
    assert presence(agency, _heard(limit + timedelta(milliseconds=1)), NOW).silent


def test_an_agency_that_was_never_heard_is_silent() -> None:
    assert presence(ANY_AGENCY, None, NOW).silent
    assert presence(ANY_AGENCY, Peer(ANY_AGENCY.code, 1, None, NOW), NOW).silent  # only a receipt has told of it
