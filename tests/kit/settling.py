"""Dead letters of the bench's agencies, and what somebody there does about them."""

from uuid import UUID, uuid4

import sqlalchemy as sa

from consumers.agency import dead_letters
from consumers.agency.dead_letters import Done
from consumers.agency.handover import Answer, Failed
from consumers.agency.verdicts import IngestContext
from referral_bus.ledger import dead_letter_lists, tables
from referral_bus.ledger.dead_letter_lists import Choice, DeadLetter
from referral_bus.ledger.handovers import LONGEST_PAUSE, Received
from schemas.events import ReferralEvent
from tests.kit.bench import Bench
from tests.kit.forge import a_referral, event_record
from tests.kit.handing import ATTEMPTS, handover_to, until_quiet
from tests.kit.people import RECIPIENT, SENDER
from tests.kit.registers import changed

REASON = "PLANTED-REASON-7731 the synthetic family has moved"
EVERYTHING = Choice(writer=SENDER)


def context(trio: Bench, code: str = RECIPIENT) -> IngestContext:
    station = trio[code]
    return IngestContext(code, station.register, station.keyring.find_sealing, uuid4, trio.clock())


def retry(trio: Bench, choice: Choice = EVERYTHING) -> list[Done]:
    ledger = trio[RECIPIENT].ledger
    return dead_letters.retry(ledger, dead_letters.waiting(ledger, choice), context(trio), "test")


def discard(trio: Bench, choice: Choice = EVERYTHING, code: str = RECIPIENT) -> list[Done]:
    ledger = trio[code].ledger
    return dead_letters.discard(ledger, dead_letters.waiting(ledger, choice), REASON, context(trio, code), "test")


def letters(trio: Bench, code: str = RECIPIENT, choice: Choice | None = None) -> list[DeadLetter]:
    with trio[code].ledger.read() as tx:
        return dead_letter_lists.chosen(tx, choice or Choice(), 100)


def audited(trio: Bench, code: str = RECIPIENT) -> list[tuple[str, str, str, object]]:
    columns = tables.audit.c
    query = sa.select(columns.action, columns.by, columns.code, columns.event_id).order_by(columns.number)
    with trio[code].ledger.read() as tx:
        rows = tx.connection.execute(query.where(columns.action.in_(("retried", "discarded")))).all()
    return [tuple(row) for row in rows]


def a_held_one(trio: Bench) -> ReferralEvent:
    """A referral that cites the register's next version, on its way over the broker."""
    event = a_referral(trio, SENDER, RECIPIENT, register_version=2)
    trio[RECIPIENT].take(event_record(trio, event))
    return event


def newer_register(trio: Bench) -> None:
    trio.own_registers[RECIPIENT] = changed(trio.register, version=2)


def an_exhausted_one(trio: Bench, words: int = 0) -> UUID:
    """A referral that RECIPIENT's system did not take, however often it was asked, and words behind it."""
    referral_id = trio[SENDER].refer(RECIPIENT)
    for number in range(words):
        trio[SENDER].say("answer", referral_id, text=f"Synthetic word {number}.")
    trio.settle()
    hand_over(trio, Failed("status 500"))
    return referral_id


def hand_over(trio: Bench, answer: Answer) -> list[Received]:
    """As often as an event is tried."""
    asked: list[Received] = []

    def endpoint(received: Received) -> Answer:
        asked.append(received)
        return answer

    with handover_to(trio, endpoint) as made:
        for _ in range(ATTEMPTS):
            until_quiet(made)
            trio.clock.move(LONGEST_PAUSE)
    return asked
