"""What a stolen key has said to the monitor outranks nothing that its agency says under another one."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consumers.monitor import tables
from referral_bus.federation.keyring import Keyring
from referral_bus.wire.raw import RawRecord
from schemas.events import HIGHEST_INCARNATION, ReferralKey
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_word, an_announcement, event_record, signed
from tests.kit.lookout import Lookout, lookout
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.registers import changed, with_revoked_key

STOLEN_FROM = RECIPIENT
HIGHEST = (HIGHEST_INCARNATION, 2**53 - 1)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[Bench, Lookout]]:
    with lookout(tmp_path, SENDER, STOLEN_FROM) as (bench, monitor):
        yield bench, monitor


def _revoke(bench: Bench) -> None:
    """The register lists another key, with which the agency works from now on."""
    new, old = Ed25519PrivateKey.generate(), bench.register
    register = with_revoked_key(old, STOLEN_FROM, bench.clock())
    (stolen,) = (key for each in old.content.agencies if each.code == STOLEN_FROM for key in each.signing_keys)
    another = stolen.model_copy(update={"public_key": new.public_key().public_bytes_raw().hex()})
    agencies = tuple(
        each.model_copy(update={"signing_keys": (*each.signing_keys, another)}) if each.code == STOLEN_FROM else each
        for each in register.content.agencies
    )
    bench.register = changed(register, agencies=agencies, version=old.version + 1)
    station = bench[STOLEN_FROM]
    station.keyring = Keyring(new, station.keyring.at_rest, station.keyring.epochs)
    bench.generated = replace(bench.generated, agency_keys=dict(bench.generated.agency_keys) | {STOLEN_FROM: new})


def _settle(bench: Bench, monitor: Lookout) -> None:
    bench.announce()
    bench.settle()
    monitor.read()


def _announced(monitor: Lookout) -> int:
    """How many open referrals it is said to have."""
    columns = tables.agencies.c
    with monitor.store.read() as tx:
        query = sa.select(columns.open_referrals).where(columns.code == STOLEN_FROM)
        return int(tx.execute(query).scalar_one())


def _refusal(bench: Bench, referral: UUID) -> RawRecord:
    event_id = bench[SENDER].history(referral)[0].event_id
    words: dict[str, object] = {"code": Code.NOT_AGREED, "event_id": event_id, "incarnation": HIGHEST[0]}
    return a_receipt(bench, STOLEN_FROM, SENDER, bytes(32), Outcome.REFUSED, **words)


def test_its_announcement_does_not_hide_those_of_the_agency(watched: tuple[Bench, Lookout]) -> None:
    bench, monitor = watched
    told = an_announcement(bench, STOLEN_FROM, HIGHEST[1], incarnation=HIGHEST[0], open_referrals=999)
    monitor.hear(signed(bench, told))
    assert _announced(monitor) == 999
    _revoke(bench)
    bench[STOLEN_FROM].go_on()
    _settle(bench, monitor)
    assert _announced(monitor) == 0


def test_a_word_under_it_does_not_keep_out_what_the_agency_says_later(watched: tuple[Bench, Lookout]) -> None:
    bench, monitor = watched
    referral = bench[SENDER].refer(STOLEN_FROM)
    _settle(bench, monitor)
    key = ReferralKey(SENDER, referral)
    monitor.hear(event_record(bench, a_word(bench, key, STOLEN_FROM, SENDER, HIGHEST, "cancelled", follows=(1, 1))))
    assert monitor.open(STOLEN_FROM) == {}
    _revoke(bench)
    _settle(bench, monitor)
    bench[STOLEN_FROM].go_on()
    bench[STOLEN_FROM].say("accept", referral)
    _settle(bench, monitor)
    assert monitor.open(STOLEN_FROM) == {"in-service": 1}


def test_a_refusal_under_it_falls(watched: tuple[Bench, Lookout]) -> None:
    bench, monitor = watched
    referral = bench[SENDER].refer(STOLEN_FROM)
    _settle(bench, monitor)
    monitor.hear(_refusal(bench, referral))
    assert monitor.open(STOLEN_FROM) == {}
    _revoke(bench)
    _settle(bench, monitor)
    assert monitor.open(STOLEN_FROM) == {"not-handed-over": 1}
    bench[STOLEN_FROM].go_on()
    bench[STOLEN_FROM].say("accept", referral)
    _settle(bench, monitor)
    assert monitor.open(STOLEN_FROM) == {"in-service": 1}


def test_a_refusal_under_it_that_came_before_its_referral_falls(watched: tuple[Bench, Lookout]) -> None:
    bench, monitor = watched
    referral = bench[SENDER].refer(STOLEN_FROM)
    monitor.hear(_refusal(bench, referral))
    _revoke(bench)
    bench[STOLEN_FROM].go_on()
    _settle(bench, monitor)
    assert sum(monitor.open(STOLEN_FROM).values()) == 1
