"""F18: a thief announces the highest incarnation and sealing keys of the thief's, and says another status of a referral
at the highest place, and the end of all words about another; then the stolen key is revoked."""

from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from consumers.agency.announcer import next_announcement
from deploy.app.agency_client import open_client
from deploy.app.backups import go_on_after_restore
from referral_bus.broker.kafka import KafkaBroker
from referral_bus.clock import system_clock
from referral_bus.errors import BusError, Reason
from referral_bus.federation.keyring import write_key
from referral_bus.ledger import queries, referrals, tables
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.store import Tx
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.record import write
from referral_bus.wire.sealing import seal
from referral_bus.wire.signing import key_id_of
from schemas.events import HIGHEST_INCARNATION, AnyRecord, ErasureEvent, ReferralKey, StatusEvent
from schemas.lifecycle import ErasureKind, ErasureReason, Status
from schemas.personal import StatusBody
from tests.faults.books import written_by
from tests.faults.conftest import Report
from tests.faults.dose import Dose
from tests.faults.field import FIRST, MIDDLE, Field, field_of
from tests.faults.load import UNANSWERED, Flow, referrals_for
from tests.kit.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.kafka

THIEFS = X25519PrivateKey.generate().public_key().public_bytes_raw()


def test_f18_what_a_stolen_key_has_said_falls_with_it(
    tmp_path: Path, kafka_bootstrap: str, dose: Dose, report: Report
) -> None:
    events = dose(full=1000, small=60)
    with field_of(tmp_path, kafka_bootstrap) as field:
        field.start_and_wait(*field.clients)
        field.load.want(referrals_for(events))
        assert field.settle().kept
        _announce_as_the_thief(field)
        words = frozenset({_speak_as_the_thief(field), _end_as_the_thief(field)})
        field.load.ask_for(Flow(FIRST, MIDDLE), UNANSWERED, events // 10)
        wait_until(lambda: _sealed_to_the_thief(field) > 0, 60)
        _stopped_until_revoked(field)
        _revoke(field, words)
        result = field.settle()
        assert _sealed_to_the_thief(field) == 0
    report("F18", f"{events // 10} sealed to the thief and sealed anew", result)


def _announce_as_the_thief(field: Field) -> None:
    """Returns once the others have heard it."""
    client, now = field.clients[MIDDLE], system_clock()
    keys = tuple(key.model_copy(update={"public_key": THIEFS}) for key in client.keyring.announced(now))
    said = next_announcement(client.ledger, client.register, keys, now, "0.0.0")
    highest = said.model_copy(update={"incarnation": HIGHEST_INCARNATION, "counter": 2**53 - 1})
    _send_as_the_thief(field, highest, client.register.announcement(MIDDLE))

    def heard() -> bool:
        with field.clients[FIRST].ledger.read() as tx:
            return all_peers(tx)[MIDDLE].announcement == highest

    wait_until(heard)


def _speak_as_the_thief(field: Field) -> UUID:
    """A status that the referral does not have, to its sender. Returns once it is believed there; the event's id."""
    client, to, now = field.clients[MIDDLE], field.clients[FIRST], system_clock()
    with to.ledger.read() as tx:
        known = queries.statuses(tx)
        key = _between(tx)[0]
        follows = referrals.place_held(tx, key, MIDDLE)
    status = Status.REJECTED if known[key] is not Status.REJECTED else Status.COMPLETED
    word = StatusEvent(
        event_id=uuid4(),
        referral_id=key.referral_id,
        referral_sender=key.sender,
        writer=MIDDLE,
        addressee=FIRST,
        occurred_at=now,
        register_version=client.register.version,
        incarnation=HIGHEST_INCARNATION,
        sequence=2**53 - 1,
        follows_incarnation=follows.incarnation,
        follows_sequence=follows.sequence,
        sealing_key_id="0" * 32,
        sealed=b"",
        status=status,
    )
    sealing = to.keyring.announced(now)[0].public_key
    named = word.model_copy(update={"sealing_key_id": key_id_of(sealing)})
    _send_as_the_thief(field, seal(named, encode(StatusBody()), sealing), client.register.inbox(FIRST))

    def believed() -> bool:
        with to.ledger.read() as tx:
            return queries.statuses(tx)[key] == status

    wait_until(believed)
    return word.event_id


def _end_as_the_thief(field: Field) -> UUID:
    """As if the recipient's retention had erased another referral. Returns once that is believed; the event's id."""
    client, to = field.clients[MIDDLE], field.clients[FIRST]
    with to.ledger.read() as tx:
        key = _between(tx)[1]
        ended = Status.REJECTED if queries.statuses(tx)[key] is not Status.REJECTED else Status.COMPLETED
    word = ErasureEvent(
        event_id=uuid4(),
        referral_id=key.referral_id,
        referral_sender=key.sender,
        writer=MIDDLE,
        addressee=FIRST,
        occurred_at=system_clock(),
        register_version=client.register.version,
        incarnation=HIGHEST_INCARNATION,
        sequence=2**53 - 1,
        kind=ErasureKind.REQUESTED,
        reason=ErasureReason.RETENTION,
        status=ended,
    )
    _send_as_the_thief(field, word, client.register.inbox(FIRST))

    def believed() -> bool:
        with to.ledger.read() as tx:
            return queries.statuses(tx)[key] == ended

    wait_until(believed)
    return word.event_id


def _between(tx: Tx) -> list[ReferralKey]:
    """The referrals from the first agency to the one whose key is stolen."""
    known = [key for key in queries.statuses(tx) if key.sender == FIRST]
    return [key for key in known if (found := referrals.load(tx, key)) is not None and found.peer == MIDDLE]


def _send_as_the_thief(field: Field, record: AnyRecord, topic: str | None) -> None:
    client = field.clients[MIDDLE]
    raw = write(record, topic or "", client.register.federation, client.keyring.signing)
    with closing(KafkaBroker(field.services.kafka, "thief")) as broker, closing(broker.sender()) as sender:
        sending = sender.send(raw)
        assert sending is not None
        wait_until(sending.done)


def _sealed_to_the_thief(field: Field) -> int:
    outbox = tables.outbox.c
    sealed = sa.select(sa.func.count()).select_from(tables.outbox).where(outbox.key_id == key_id_of(THIEFS))
    with field.clients[FIRST].ledger.read() as tx:
        return int(tx.connection.execute(sealed).scalar_one())


def _stopped_until_revoked(field: Field) -> None:
    """The true service ends, and going on is refused before anything is written."""
    field.kill(MIDDLE)
    field.start(MIDDLE)
    field.running.pop(MIDDLE).popen.wait(PATIENCE_S)
    home = field.agency(MIDDLE).home
    before = (home / "outside-backups" / "high-water.json").read_bytes()
    with closing(open_client(home)) as client, pytest.raises(BusError) as caught:
        go_on_after_restore(client, None)
    assert caught.value.reason is Reason.INCARNATIONS_USED_UP
    assert (home / "outside-backups" / "high-water.json").read_bytes() == before


def _revoke(field: Field, thiefs: frozenset[UUID]) -> None:
    """The stewards drop the stolen key and list another one, with which the agency goes on. It has never written the
    events whose ids are `thiefs`, which stay at the other side."""
    home = field.agency(MIDDLE).home
    field.kill(FIRST)
    with field.load.at_rest():
        wrote = written_by(field.clients[MIDDLE])
        field.clients[MIDDLE].close()
        (home / "keys" / "signing.key").unlink()
        write_key(home / "keys" / "signing.key", Ed25519PrivateKey.generate().private_bytes_raw())
        field.services.join(2)
        with closing(open_client(home)) as client:
            go_on_after_restore(client, None)
        field.begin_again(MIDDLE, wrote | thiefs)
    field.start_and_wait(FIRST, MIDDLE)
