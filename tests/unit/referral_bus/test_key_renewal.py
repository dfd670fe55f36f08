"""Sealing keys through the months: rotation without traffic, destruction, a clock that jumps, and what was sealed to a
key that is gone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from referral_bus.federation.keyring import KEPT_FOR, write_key
from referral_bus.key_renewal import renew_keys
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.peers import all_peers
from schemas.sealing_keys import EPOCH
from tests.kit.bench import Bench, Station, bench
from tests.kit.forge import an_announcement, signed
from tests.kit.people import RECIPIENT, SENDER

DAY = timedelta(days=1)
WITNESSES = 1  # there are two agencies


class Keys:
    """A station's keys in a folder, as a service holds them."""

    def __init__(self, station: Station, folder: Path) -> None:
        self._station, self._folder = station, folder
        folder.mkdir(mode=0o700)
        keyring = station.keyring
        write_key(folder / "signing.key", keyring.signing.private_bytes_raw())
        write_key(folder / "at-rest.key", keyring.at_rest)
        for key in keyring.epochs:
            write_key(folder / f"sealing-{key.epoch}.key", key.private.private_bytes_raw())

    def renew(self, now: datetime | None = None) -> tuple[int, ...]:
        """By the bench's clock, or by one that is wrong; which epochs' keys were destroyed."""
        station = self._station
        renewed = renew_keys(self._folder, station.ledger, now or station.bench.clock(), WITNESSES)
        station.keyring = renewed.keyring
        station.reopen()
        assert not [epoch for epoch in renewed.destroyed if (self._folder / f"sealing-{epoch}.key").exists()]
        return renewed.destroyed


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Bench]:
    with bench(tmp_path, SENDER, RECIPIENT) as made:
        yield made


@pytest.fixture
def keys(pair: Bench, tmp_path: Path) -> dict[str, Keys]:
    return {code: Keys(pair[code], tmp_path / f"keys-{code}") for code in (SENDER, RECIPIENT)}


def _hears(station: Station, peer: str) -> None:
    """It hears of `peer`, and of nothing that stands in its own inbox."""
    counter = int(station.bench.clock().timestamp())
    station.take(signed(station.bench, an_announcement(station.bench, peer, counter)))


def _state(pair: Bench, referral_id: UUID) -> OutboxState | None:
    return pair[SENDER].history(referral_id)[0].state


def test_agencies_that_never_write_stay_reachable_for_months_and_old_keys_go(
    pair: Bench, keys: dict[str, Keys]
) -> None:
    destroyed: list[int] = []
    for _ in range(12):
        pair.clock.move(20 * DAY)
        for one in keys.values():
            destroyed += one.renew()
        pair.announce()
        for here, there in ((SENDER, RECIPIENT), (RECIPIENT, SENDER)):
            with pair[here].ledger.read() as tx:
                assert all_peers(tx)[there].sealing_key(pair.clock()) is not None
    assert len(set(destroyed)) == 7  # of eight epochs
    assert max(len(station.keyring.epochs) for station in pair.stations.values()) <= 5
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair.settle()
    assert _state(pair, referral_id) is OutboxState.STORED


def test_an_event_sealed_to_a_key_that_is_gone_is_sealed_anew_and_arrives(pair: Bench, keys: dict[str, Keys]) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair.clock.move(EPOCH + KEPT_FOR + DAY)
    _hears(pair[RECIPIENT], SENDER)
    assert len(keys[RECIPIENT].renew()) == 1
    pair[RECIPIENT].read()
    assert [item.outcome for item in pair[RECIPIENT].owed(SENDER)] == ["RESEAL"]
    pair[RECIPIENT].announce()
    pair.settle()
    assert _state(pair, referral_id) is OutboxState.STORED
    assert pair[RECIPIENT].status(referral_id) == "requested"


def test_a_key_of_an_epoch_that_has_just_ended_still_opens(pair: Bench, keys: dict[str, Keys]) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    pair.clock.now = pair[RECIPIENT].keyring.epochs[0].public.valid_until + KEPT_FOR - DAY
    _hears(pair[RECIPIENT], SENDER)
    assert keys[RECIPIENT].renew() == ()
    pair[RECIPIENT].read()
    assert pair[RECIPIENT].status(referral_id) == "requested"


@pytest.mark.parametrize("ahead", [EPOCH + KEPT_FOR, 365 * DAY, 20_000 * DAY])
def test_a_clock_that_jumps_ahead_and_back_costs_no_key(ahead: timedelta, pair: Bench, keys: dict[str, Keys]) -> None:
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    assert keys[RECIPIENT].renew(pair.clock() + ahead) == ()
    assert keys[RECIPIENT].renew() == ()
    pair[RECIPIENT].read()
    assert pair[RECIPIENT].status(referral_id) == "requested"


def test_a_clock_that_was_a_year_behind_leaves_nothing_for_long(pair: Bench, keys: dict[str, Keys]) -> None:
    before = len(pair[RECIPIENT].keyring.epochs)
    assert keys[RECIPIENT].renew(pair.clock() - 365 * DAY) == ()
    assert len(pair[RECIPIENT].keyring.epochs) == before + 3
    assert len(keys[RECIPIENT].renew()) == 3
    assert len(pair[RECIPIENT].keyring.epochs) == before


def test_another_agencys_clock_alone_costs_no_key_either(pair: Bench, keys: dict[str, Keys]) -> None:
    _hears_of_the_future(pair)
    assert keys[RECIPIENT].renew() == ()


def _hears_of_the_future(pair: Bench) -> None:
    now = pair.clock.now
    pair.clock.now = now + 365 * DAY
    _hears(pair[RECIPIENT], SENDER)
    pair.clock.now = now


def test_whoever_has_heard_nobody_destroys_nothing(tmp_path: Path) -> None:
    alone = Bench(tmp_path, (SENDER, RECIPIENT))
    keys = Keys(alone[RECIPIENT], tmp_path / "keys")
    alone.clock.move(10 * EPOCH)
    assert keys.renew() == ()
    _hears(alone[RECIPIENT], SENDER)
    assert len(keys.renew()) == 3
    alone.close()


def test_what_waits_for_a_key_goes_when_one_that_was_announced_becomes_valid(pair: Bench) -> None:
    """The sender's clock ran ahead and back, so that the recipient's announcement has not changed."""
    now = pair.clock.now
    pair.clock.now = now + 4 * EPOCH
    referral_id = pair[SENDER].refer(RECIPIENT)
    pair[SENDER].send()
    assert _state(pair, referral_id) is OutboxState.WAITING_FOR_KEY
    pair.clock.now = now + timedelta(minutes=1)
    pair.settle()
    assert _state(pair, referral_id) is OutboxState.STORED


def test_what_a_clock_that_was_ahead_has_put_off_is_sent_again_in_a_minute(pair: Bench) -> None:
    """As above, but the event had left; it was lost on its way."""
    now = pair.clock.now
    referral_id = pair[SENDER].refer(RECIPIENT)
    with pair[SENDER].ledger.write() as tx:
        tx.connection.exec_driver_sql("UPDATE outbox SET next_send_at = next_send_at + 31536000000, state = 'sent'")
    pair.clock.now = now + timedelta(minutes=1)
    pair.settle()
    assert _state(pair, referral_id) is OutboxState.STORED
