"""An agency that leaves the register: what waits for it ends, what it has is shown as left, erasures chase no more."""

from datetime import timedelta
from uuid import UUID

import pytest

from producers.relay import TIDY_EVERY
from referral_bus.errors import Refused
from referral_bus.federation.register import Register, read_register, render_register
from referral_bus.ledger import tombstones
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.tombstones import Unconfirmed
from referral_bus.stage_queries import StageCount, count_stages, stage_of
from referral_bus.stages import Actor, Stage, Standing
from schemas.deadlines import DEFAULT_LIMITS
from schemas.lifecycle import Side
from tests.kit.bench import Bench, Station
from tests.kit.people import RECIPIENT, SENDER


def without(register: Register, code: str) -> Register:
    content = register.content
    agencies = tuple(each for each in content.agencies if each.code != code)
    agreements = tuple(each for each in content.agreements if code not in (each.sender, each.recipient))
    update = {"version": content.version + 1, "agencies": agencies, "agreements": agreements}
    return read_register(render_register(content.model_copy(update=update)))


def closed(register: Register, code: str, pair: Bench, *, keys: bool) -> Register:
    """Its membership has ended; its keys may still be valid."""
    content, now = register.content, pair.clock().replace(microsecond=0)
    agencies = [
        each
        if each.code != code
        else each.model_copy(update={"member_until": now} | ({} if keys else {"signing_keys": ()}))
        for each in content.agencies
    ]
    return read_register(render_register(content.model_copy(update={"agencies": tuple(agencies)})))


def _leaves(pair: Bench, code: str) -> None:
    """The other side takes a register without it, and works on until all is quiet."""
    other = SENDER if code == RECIPIENT else RECIPIENT
    pair.own_registers[other] = without(pair.register, code)
    pair.clock.move(TIDY_EVERY)
    for _ in range(3):
        pair[other].send()


def _stands(station: Station, referral_id: UUID) -> Standing:
    believed = station.register.believed(station.bench.clock())
    with station.ledger.read() as tx:
        return stage_of(tx, station.referral(referral_id), all_peers(tx), DEFAULT_LIMITS, believed)


def _counts(station: Station) -> dict[tuple[Side, Stage], StageCount]:
    now = station.bench.clock()
    with station.ledger.read() as tx:
        found = count_stages(tx, now, DEFAULT_LIMITS, station.register.believed(now))
    return {at: count for at, count in found.items() if count.open}


def _erasures(station: Station) -> tuple[Unconfirmed, Unconfirmed]:
    """All of them, and those that wait for an agency that has left."""
    now = station.bench.clock()
    with station.ledger.read() as tx:
        left = tombstones.left_behind(tx, now, station.register.believed(now))
        return tombstones.unconfirmed(tx, now), left


def _states(station: Station, referral_id: UUID) -> list[OutboxState | None]:
    return [step.state for step in station.history(referral_id) if step.way == "sent"]


def test_what_the_recipient_has_is_shown_as_left_and_what_it_has_not_is_undeliverable(pair: Bench) -> None:
    sender = pair[SENDER]
    accepted, stored = sender.refer(RECIPIENT), sender.refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].say("accept", accepted)
    pair.settle()
    waiting = sender.refer(RECIPIENT)
    _leaves(pair, RECIPIENT)
    for referral_id in (accepted, stored):
        found = _stands(sender, referral_id)
        assert (found.stage, found.actor, found.other_left) == (Stage.OTHER_SIDE_LEFT, Actor.SENDER_STAFF, True)
    found = _stands(sender, waiting)
    assert (found.stage, found.actor, found.other_left) == (Stage.UNDELIVERED, Actor.SENDER_STAFF, True)
    assert _states(sender, waiting) == [OutboxState.UNDELIVERABLE]
    expected = {Stage.OTHER_SIDE_LEFT: StageCount(2, 0), Stage.UNDELIVERED: StageCount(1, 0)}
    assert _counts(sender) == {(Side.SENDER, stage): count for stage, count in expected.items()}


@pytest.mark.parametrize(("keys", "left"), [(True, False), (False, True)])
def test_an_agency_whose_membership_ended_answers_for_as_long_as_a_key_of_it_is_valid(
    pair: Bench, keys: bool, left: bool
) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair.own_registers[SENDER] = closed(pair.register, RECIPIENT, pair, keys=keys)
    pair.clock.move(timedelta(seconds=1))
    assert _stands(pair[SENDER], referral_id).other_left is left
    assert (RECIPIENT in pair[SENDER].register.believed(pair.clock())) is not left


@pytest.mark.parametrize("verb", ["cancel", "answer"])
def test_the_sender_can_say_nothing_more_to_a_recipient_that_has_left(pair: Bench, verb: str) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    _leaves(pair, RECIPIENT)
    before = len(pair[SENDER].history(referral_id))
    with pytest.raises(Refused, match="has left the register and cannot get this; refer anew, then withdraw"):
        pair[SENDER].say(verb, referral_id, text="Synthetic example: any text.")
    assert len(pair[SENDER].history(referral_id)) == before


def test_the_recipient_ends_its_work_where_the_sender_has_left_and_its_words_go_nowhere(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair[RECIPIENT].say("accept", referral_id)
    pair.settle()
    pair[RECIPIENT].say("ask", referral_id, text="Synthetic example: any question?")
    assert _stands(pair[RECIPIENT], referral_id).actor is Actor.SENDER_STAFF
    _leaves(pair, SENDER)
    found = _stands(pair[RECIPIENT], referral_id)
    assert (found.stage, found.actor, found.other_left) == (Stage.IN_SERVICE, Actor.RECIPIENT_STAFF, True)
    pair[RECIPIENT].say("complete", referral_id, outcome="provided")
    pair.clock.move(TIDY_EVERY)
    for _ in range(3):
        pair[RECIPIENT].send()
    assert set(_states(pair[RECIPIENT], referral_id)) == {OutboxState.STORED, OutboxState.UNDELIVERABLE}
    assert _stands(pair[RECIPIENT], referral_id).stage is Stage.ENDED


def test_an_erasure_that_only_an_agency_that_has_left_could_confirm_waits_for_no_one_until_it_is_back(
    pair: Bench,
) -> None:
    sender = pair[SENDER]
    referral_id = sender.refer(RECIPIENT)
    pair.settle()
    sender.withdraw(referral_id)
    assert _erasures(sender) == (Unconfirmed(1, 0), Unconfirmed(0, 0))
    _leaves(pair, RECIPIENT)
    assert _erasures(sender) == (Unconfirmed(1, 1), Unconfirmed(1, 1))
    assert OutboxState.UNDELIVERABLE in _states(sender, referral_id)
    del pair.own_registers[SENDER]
    pair.clock.move(TIDY_EVERY)
    pair.settle()
    pair[RECIPIENT].pull()
    pair.settle()
    assert _erasures(sender) == (Unconfirmed(0, 0), Unconfirmed(0, 0))
    assert pair[RECIPIENT].status(referral_id) is None


def test_by_a_clock_of_our_own_alone_no_listed_agency_has_left(pair: Bench) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.own_registers[SENDER] = closed(pair.register, RECIPIENT, pair, keys=False)
    with pair[SENDER].ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE peers SET announcement = NULL")
    pair.clock.move(TIDY_EVERY)
    for _ in range(3):
        pair[SENDER].send()
    assert _states(pair[SENDER], referral_id) == [OutboxState.WAITING_FOR_KEY]
