"""A thief announces the highest incarnation with our key: nothing is lost, and once the key is revoked we go on."""

import pytest

from deploy.app.backups import LONGEST_LEAP, go_on, unguessed_incarnation
from referral_bus.errors import BusError, Reason
from referral_bus.ledger.own_agency import incarnation_by_clock, own_incarnation
from referral_bus.rollback_guard import HighWater
from schemas.events import HIGHEST_INCARNATION
from tests.kit.bench import Bench, Station
from tests.kit.people import SENDER

STOLEN = "0" * 32
HIGHEST = HighWater(HIGHEST_INCARNATION, 2**53 - 1, STOLEN)


def _counts(key_id: str) -> bool:
    return key_id != STOLEN


def _incarnation(station: Station) -> int:
    with station.ledger.read() as tx:
        return own_incarnation(tx)


def _files(station: Station) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in station.rollback_guard.folder.iterdir()}


def test_what_was_announced_with_a_stolen_key_stops_us_until_it_is_revoked(pair: Bench) -> None:
    station = pair[SENDER]
    with pytest.raises(BusError) as caught:
        station.rollback_guard.heard(station.ledger, HIGHEST)
    assert caught.value.reason is Reason.LEDGER_BEHIND
    with pytest.raises(BusError):
        pair.make_rollback_guard(SENDER).refuse_if_behind(station.ledger)
    pair.make_rollback_guard(SENDER).refuse_if_behind(station.ledger, _counts)


def test_going_on_is_refused_before_anything_is_written_while_the_key_counts(pair: Bench) -> None:
    station = pair[SENDER]
    with pytest.raises(BusError):
        station.rollback_guard.heard(station.ledger, HIGHEST)
    before = _files(station)
    with pytest.raises(BusError) as caught:
        go_on(station.ledger, station.rollback_guard, station.writing())
    assert caught.value.reason is Reason.INCARNATIONS_USED_UP
    assert (_files(station), _incarnation(station)) == (before, 1)
    go_on(station.ledger, station.rollback_guard, station.writing(), _counts)
    assert _incarnation(station) == 2
    station.rollback_guard.refuse_if_behind(station.ledger, _counts)


def test_what_was_announced_with_a_key_that_counts_is_exceeded(pair: Bench) -> None:
    station = pair[SENDER]
    with pytest.raises(BusError):
        station.rollback_guard.heard(station.ledger, HighWater(7, 3, "1" * 32))
    go_on(station.ledger, station.rollback_guard, station.writing(), _counts)
    assert _incarnation(station) == 8


def test_a_restored_agency_leaps_so_that_no_thief_can_guess_where_it_goes_on(pair: Bench) -> None:
    """But not above what a new start would take that remembers nothing."""
    now = pair.clock()
    ceiling = incarnation_by_clock(now)
    for known, heard, nearest, farthest in (
        (1, 1, 2, 1 + LONGEST_LEAP),
        (1, 7, 8, 7 + LONGEST_LEAP),  # which a revoked key has announced
        (1, HIGHEST_INCARNATION, 2, 1 + LONGEST_LEAP),
        (ceiling - 10, 1, ceiling - 9, ceiling),
        (ceiling, 1, ceiling + 1, ceiling + 1),
        (ceiling + 5, 1, ceiling + 6, ceiling + 6),
    ):
        assert unguessed_incarnation(known, heard, now, lambda _: 0) == nearest
        assert unguessed_incarnation(known, heard, now, lambda most: most - 1) == farthest
