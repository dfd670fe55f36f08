"""What a stolen key has said falls with the key, and the agency is heard again under another one."""

import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from referral_bus.ledger import tables
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.peers import FAR_AHEAD, Peer, agreed_time, all_peers
from referral_bus.wire.signing import key_id_of
from schemas.events import HIGHEST_INCARNATION, AgencyAnnouncement, ReferralKey
from schemas.outcomes import Code, Outcome
from tests.kit.bench import Bench
from tests.kit.forge import a_receipt, a_word, an_announcement, event_record, signed
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.registers import changed
from tests.kit.stolen import revoke_stolen_key

STOLEN_FROM = RECIPIENT
THIEFS = X25519PrivateKey.generate()


def _announced_by_the_thief(trio: Bench, **changes: object) -> AgencyAnnouncement:
    """The highest there is, with a sealing key of the thief's for each epoch."""
    keys = tuple(
        key.model_copy(update={"public_key": THIEFS.public_key().public_bytes_raw()})
        for key in trio[STOLEN_FROM].keyring.announced(trio.clock())
    )
    highest: dict[str, object] = {"incarnation": HIGHEST_INCARNATION, "sealing_keys": keys}
    return an_announcement(trio, STOLEN_FROM, 2**53 - 1, **(highest | changes))


def _peer(trio: Bench) -> Peer:
    with trio[SENDER].ledger.read() as tx:
        return all_peers(tx)[STOLEN_FROM]


def _sealed_to(trio: Bench, referral_id: UUID) -> str | None:
    with trio[SENDER].ledger.read() as tx:
        query = sa.select(tables.outbox.c.key_id).where(tables.outbox.c.referral_id == referral_id)
        key_id: str | None = tx.connection.execute(query).scalar_one()
    return key_id


@pytest.mark.parametrize("drop", [False, True])
def test_nothing_is_sealed_any_more_to_what_a_revoked_key_has_announced(trio: Bench, drop: bool) -> None:
    trio[SENDER].take(signed(trio, _announced_by_the_thief(trio)))
    lost = trio[SENDER].refer(STOLEN_FROM)
    trio[SENDER].send()
    thiefs = key_id_of(THIEFS.public_key().public_bytes_raw())
    assert _sealed_to(trio, lost) == thiefs
    revoke_stolen_key(trio, STOLEN_FROM, drop=drop)
    kept = trio[SENDER].refer(STOLEN_FROM)
    trio[SENDER].send()
    for referral_id in (lost, kept):
        assert trio[SENDER].history(referral_id)[0].state is OutboxState.WAITING_FOR_KEY
        assert _sealed_to(trio, referral_id) is None


def test_ingest_forgets_it_too_before_it_reads_on(trio: Bench) -> None:
    trio[SENDER].take(signed(trio, _announced_by_the_thief(trio)))
    revoke_stolen_key(trio, STOLEN_FROM)
    trio[SENDER].ingest.assign(trio[SENDER].reader)
    assert (_peer(trio).incarnation, _peer(trio).announcement) == (0, None)


def test_the_agency_begins_anew_and_gets_what_the_thief_said_it_had(trio: Bench) -> None:
    """Also what the thief said was erased there, refused or held."""
    outcomes = {
        trio[SENDER].refer(STOLEN_FROM): outcome
        for outcome in (Outcome.STORED, Outcome.ERASED, Outcome.REFUSED, Outcome.HELD)
    }
    trio[SENDER].send()
    for referral_id, outcome in outcomes.items():
        code = {Outcome.REFUSED: Code.NOT_AGREED, Outcome.HELD: Code.SCHEMA_UNKNOWN}.get(outcome)
        digest = hashlib.sha256(_value(trio, referral_id)).digest()
        receipt = a_receipt(trio, STOLEN_FROM, SENDER, digest, outcome, code=code, incarnation=HIGHEST_INCARNATION)
        trio[SENDER].take(receipt)
        assert trio[SENDER].history(referral_id)[0].state == OutboxState[outcome.name]
    revoke_stolen_key(trio, STOLEN_FROM)
    trio[STOLEN_FROM].begin_anew()
    _settle(trio)
    for referral_id in outcomes:
        assert trio[STOLEN_FROM].status(referral_id) == "requested"
        assert trio[SENDER].history(referral_id)[0].state is OutboxState.STORED
    later = trio[SENDER].refer(STOLEN_FROM)
    _settle(trio)
    assert trio[STOLEN_FROM].status(later) == "requested"


def _value(trio: Bench, referral_id: UUID) -> bytes:
    with trio[SENDER].ledger.read() as tx:
        query = sa.select(tables.outbox.c.value).where(tables.outbox.c.referral_id == referral_id)
        value: bytes = tx.connection.execute(query).scalar_one()
        return value


def _settle(trio: Bench) -> None:
    for _ in range(3):
        trio.announce()
        trio.clock.move(timedelta(minutes=2))
        trio.settle(30)


def test_its_words_are_taken_again_where_the_thief_has_used_the_highest_place(trio: Bench) -> None:
    referral_id = trio[SENDER].refer(STOLEN_FROM)
    trio.settle()
    trio[STOLEN_FROM].say("accept", referral_id)
    trio.settle()
    key = ReferralKey(SENDER, referral_id)
    place = (HIGHEST_INCARNATION, 2**53 - 1)
    word = a_word(trio, key, STOLEN_FROM, SENDER, place, "cancelled", follows=(1, 1))
    trio[SENDER].take(event_record(trio, word))
    assert trio[SENDER].status(referral_id) == "cancelled"
    revoke_stolen_key(trio, STOLEN_FROM)
    trio[STOLEN_FROM].go_on()
    _settle(trio)
    assert trio[SENDER].status(referral_id) == "accepted"
    trio[STOLEN_FROM].say("complete", referral_id, outcome="provided")
    _settle(trio)
    assert trio[SENDER].status(referral_id) == "completed"


def test_what_a_key_said_whose_validity_has_merely_ended_counts(trio: Bench) -> None:
    before = _peer(trio)
    agencies = tuple(
        each.model_copy(
            update={
                "signing_keys": tuple(key.model_copy(update={"valid_until": trio.clock()}) for key in each.signing_keys)
            }
        )
        for each in trio.register.content.agencies
    )
    trio.register = changed(trio.register, agencies=agencies, version=trio.register.version + 1)
    trio[SENDER].ingest.assign(trio[SENDER].reader)
    assert _peer(trio) == before


def test_an_announcement_of_the_far_future_is_not_taken(trio: Bench) -> None:
    before = _peer(trio)
    trio.clock.move(FAR_AHEAD + timedelta(seconds=1))
    ahead = an_announcement(trio, STOLEN_FROM, 99)
    trio.clock.move(-FAR_AHEAD - timedelta(seconds=1))
    (verdict,) = trio[SENDER].take(signed(trio, ahead))
    assert getattr(verdict, "code", None) is Code.VALUE_REFUSED
    assert _peer(trio) == before


def test_one_agency_alone_moves_no_time(trio: Bench) -> None:
    """Our clock is far ahead, and one agency says so too; the third does not."""
    honest = trio.clock()
    trio.clock.move(timedelta(days=200))
    trio[SENDER].take(signed(trio, an_announcement(trio, THIRD, 99)))
    with trio[SENDER].ledger.read() as tx:
        assert agreed_time(tx, trio.clock(), trio.register.witnesses(SENDER, trio.clock())) == honest
    trio[SENDER].take(signed(trio, an_announcement(trio, RECIPIENT, 99)))
    with trio[SENDER].ledger.read() as tx:
        assert agreed_time(tx, trio.clock(), trio.register.witnesses(SENDER, trio.clock())) == trio.clock()


def test_what_was_issued_in_the_far_future_counts_for_nothing(trio: Bench) -> None:
    """Both were heard while our clock was ahead, and it was set right since."""
    honest = trio.clock()
    trio.clock.move(timedelta(days=200))
    for code in (RECIPIENT, THIRD):
        trio[SENDER].take(signed(trio, an_announcement(trio, code, 99)))
    trio.clock.now = honest + timedelta(hours=1)
    with trio[SENDER].ledger.read() as tx:
        assert agreed_time(tx, trio.clock(), 2) is None
        assert agreed_time(tx, trio.clock(), 1) is None


def test_an_agency_hears_those_it_has_agreements_with_and_no_more_must_agree(trio: Bench) -> None:
    now, register = trio.clock(), trio.register
    alone = tuple(each for each in register.content.agreements if {each.sender, each.recipient} == {SENDER, RECIPIENT})
    assert [register.witnesses(SENDER, now), changed(register, agreements=alone).witnesses(SENDER, now)] == [2, 1]
    assert changed(register, agreements=()).witnesses(SENDER, now) == 0
