"""What is held: how much of one writer, and when it is judged anew."""

from collections.abc import Callable
from threading import Event

import pytest
import sqlalchemy as sa

from consumers.agency.verdicts import NotTaken
from referral_bus.broker.protocols import Delivery
from referral_bus.federation.trust import parse_signatures
from referral_bus.ledger import tables
from referral_bus.ledger.dead_letter_lists import Choice
from referral_bus.ledger.dead_letters import DeadLetterState
from referral_bus.ledger.held_events import MOST_HELD
from referral_bus.wire.raw import RawRecord
from referral_bus.wire.record import write
from schemas.events import ErasureEvent, RegisterVersion
from schemas.outcomes import Code
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, event_record, signed, signed_bytes
from tests.kit.people import RECIPIENT, SENDER, THIRD
from tests.kit.settling import newer_register, retry

_D = tables.dead_letters.c


def _newer_schema(trio: Bench, sender: str = SENDER, schema: bytes = b"schema-9") -> RawRecord:
    return signed_bytes(trio, b"\xc3\x01" + schema + b"newer", a_referral(trio, sender, RECIPIENT))


def _newer_register(trio: Bench) -> RawRecord:
    return event_record(trio, a_referral(trio, SENDER, RECIPIENT, register_version=2))


def _newer_reason(trio: Bench) -> RawRecord:
    common = a_referral(trio, SENDER, RECIPIENT).model_dump(include=set(ErasureEvent.model_fields))
    return signed(trio, ErasureEvent(**common, status=None, kind="requested", reason="from-next-year"))


def _read(trio: Bench, *raws: RawRecord) -> None:
    trio[RECIPIENT].ingest.take([Delivery(raw, 0, at, trio.clock()) for at, raw in enumerate(raws)])


def _hold(trio: Bench, number: int) -> RawRecord:
    """So many of SENDER are held at RECIPIENT. Returns the first; the others only look like it."""
    first = _newer_schema(trio, schema=b"the-1st!")
    _read(trio, first)
    with trio[RECIPIENT].ledger.write() as tx:
        row = dict(tx.connection.execute(sa.select(tables.dead_letters)).one()._mapping)
        others = [row | {"number": each, "value_sha256": b"%d" % each} for each in range(2, number + 1)]
        tx.connection.execute(sa.insert(tables.dead_letters), others)
    return first


def _held(trio: Bench, writer: str = SENDER) -> int:
    query = sa.select(sa.func.count()).where(_D.writer == writer, _D.state == DeadLetterState.HELD)
    with trio[RECIPIENT].ledger.read() as tx:
        number: int = tx.connection.execute(query).scalar_one()
    return number


def _receipts(trio: Bench) -> int:
    """How often any writer was owed an answer until now."""
    query = "SELECT seq FROM sqlite_sequence WHERE name = 'receipts_owed'"
    with trio[RECIPIENT].ledger.read() as tx:
        return int(tx.connection.exec_driver_sql(query).scalar_one())


@pytest.mark.parametrize(
    ("make", "kind"),
    [(_newer_schema, "unknown"), (_newer_register, "ReferralEvent"), (_newer_reason, "ErasureEvent")],
)
def test_what_one_writer_sends_beyond_its_share_is_neither_held_nor_receipted(
    trio: Bench, make: Callable[[Bench], RawRecord], kind: str
) -> None:
    _hold(trio, MOST_HELD)
    beyond = make(trio)
    _read(trio, beyond)
    assert (_held(trio), _receipts(trio)) == (MOST_HELD, 1)
    counted = trio[RECIPIENT].metrics.registry.get_sample_value
    assert counted("referralbus_process_failures_total", {"event_type": kind, "reason": "NO_ROOM"}) == 1
    assert '"code": "NO_ROOM"' in trio.log_lines.text
    with trio[RECIPIENT].ledger.write() as tx:
        tx.connection.execute(sa.delete(tables.dead_letters).where(_D.number == 2))
    _read(trio, beyond)  # its writer has no receipt, and sends it again
    assert (_held(trio), _receipts(trio)) == (MOST_HELD, 2)


def test_one_writer_that_has_its_share_leaves_the_others_theirs(trio: Bench) -> None:
    _hold(trio, MOST_HELD)
    _read(trio, _newer_schema(trio), _newer_schema(trio, THIRD))
    assert (_held(trio), _held(trio, THIRD), len(trio[RECIPIENT].owed(THIRD))) == (MOST_HELD, 1, 1)


def test_what_is_held_stays_so_even_where_more_is_held_than_a_share(trio: Bench) -> None:
    first = _hold(trio, MOST_HELD + 5)
    _read(trio, first)
    assert (_held(trio), _receipts(trio)) == (MOST_HELD + 5, 2)
    [again] = retry(trio, Choice(numbers=(1,)))
    assert again.result == NotTaken("unknown", Code.SCHEMA_UNKNOWN, owed=True)
    assert _held(trio) == MOST_HELD + 5


def test_the_watchdog_hears_of_every_step_while_much_is_judged_anew(trio: Bench) -> None:
    trio[RECIPIENT].take(*(_newer_register(trio) for _ in range(450)))
    newer_register(trio)
    left: list[int] = []
    stop = Event()

    def progress() -> None:
        left.append(_held(trio))
        if left[-1] == 0:
            stop.set()

    trio[RECIPIENT].ingest.run(stop, progress)
    assert sorted(set(left)) == [0, 50, 250, 450]


def _register_heard(trio: Bench) -> None:
    files, register = trio.generated.files, trio[RECIPIENT].register
    heard = RegisterVersion(
        version=register.version,
        issued_at=trio.clock(),
        register_file=files.register,
        signatures=parse_signatures(files.signatures),
    )
    steward = next(iter(trio.generated.steward_keys.values()))
    _read(trio, write(heard, register.register_topic, register.federation, steward))


def _topics_changed(trio: Bench) -> None:
    trio[RECIPIENT].ingest.assign(trio[RECIPIENT].reader)


@pytest.mark.parametrize("happens", [_register_heard, _topics_changed])
def test_what_is_held_is_judged_anew_once_after_a_start_and_once_with_each_register(
    trio: Bench, happens: Callable[[Bench], None]
) -> None:
    """Each time that it is held again, its writer is told so."""
    _read(trio, _newer_schema(trio))
    happens(trio)
    assert _receipts(trio) == 1, "the same register, and the same software"
    newer_register(trio)
    for _ in range(3):
        happens(trio)
    assert _receipts(trio) == 2
    trio[RECIPIENT].reopen()
    for _ in range(3):
        happens(trio)
    assert _receipts(trio) == 3
