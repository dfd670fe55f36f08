"""The announcement: how to seal to us, and how far we are."""

from datetime import timedelta

from consumers.agency.announcer import next_announcement
from referral_bus.ledger import handovers
from referral_bus.ledger.handovers import Retries
from referral_bus.wire.avro_codec import decode, encode
from schemas.events import AgencyAnnouncement
from schemas.schema_index import by_fingerprint
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER


def _next(pair: Bench) -> AgencyAnnouncement:
    station, now = pair[RECIPIENT], pair.clock()
    return next_announcement(station.ledger, station.register, station.keyring.announced(now), now, "1.2.3")


def test_no_two_announcements_ever_share_a_place(pair: Bench) -> None:
    before = _next(pair)
    pair[RECIPIENT].reopen()
    after = _next(pair)
    assert (after.incarnation, after.counter) == (before.incarnation, before.counter + 1)


def test_it_says_how_to_seal_to_us_what_we_read_and_which_register_we_have(pair: Bench) -> None:
    announcement = _next(pair)
    assert announcement.sealing_keys == tuple(key.public for key in pair[RECIPIENT].keyring.epochs)
    assert set(announcement.readable_schemas) == set(by_fingerprint())
    assert announcement.register_version == pair.register.version
    assert announcement.register_sha256.hex() == pair.register.sha256
    assert {offer.service_type for offer in announcement.services} == {"health", "mhpss", "disability-rehabilitation"}
    assert decode(encode(announcement)) == announcement


def test_it_tells_before_when_everything_has_been_handed_over(pair: Bench) -> None:
    assert _next(pair).handed_over_before == pair.clock()
    pair[SENDER].refer(RECIPIENT)
    pair.settle()
    stored_at = pair.clock()
    pair.clock.move(timedelta(hours=1))
    pair[SENDER].refer(RECIPIENT)
    pair.settle()
    assert _next(pair).handed_over_before == stored_at
    with pair[RECIPIENT].ledger.write() as tx:
        handovers.acknowledged_up_to(tx, 10**6, pair[RECIPIENT].writing())
    assert _next(pair).handed_over_before == pair.clock()


def test_it_counts_the_open_and_the_overdue_referrals_to_us(pair: Bench) -> None:
    open_one, rejected = pair[SENDER].refer(RECIPIENT), pair[SENDER].refer(RECIPIENT)
    pair[RECIPIENT].refer(SENDER)
    pair.settle()
    pair[RECIPIENT].say("reject", rejected, outcome_reason="no-capacity")
    announcement = _next(pair)
    assert (announcement.open_referrals, announcement.overdue_referrals) == (1, 0)
    pair.clock.move(timedelta(hours=24, milliseconds=1))
    assert (_next(pair).open_referrals, _next(pair).overdue_referrals) == (1, 1)
    pair[RECIPIENT].say("accept", open_one)
    assert (_next(pair).open_referrals, _next(pair).overdue_referrals) == (1, 0)


def test_it_counts_what_our_own_system_did_not_take_in_all_attempts(pair: Bench) -> None:
    station = pair[RECIPIENT]
    pair[SENDER].refer(RECIPIENT)
    pair.settle()
    with station.ledger.write() as tx:
        (waiting,) = handovers.due(tx, pair.clock(), (), 10)
        assert not handovers.failed(tx, waiting.cursor, Retries(2, timedelta(seconds=1)), pair.clock())
    assert _next(pair).handovers_blocked == 0
    with station.ledger.write() as tx:
        assert handovers.failed(tx, waiting.cursor, Retries(2, timedelta(seconds=1)), pair.clock())
    assert _next(pair).handovers_blocked == 1
    with station.ledger.write() as tx:
        handovers.handed_over(tx, [waiting.cursor], station.writing())
    assert _next(pair).handovers_blocked == 0


def test_nothing_to_come_is_said_to_be_handed_over_after_the_clock_was_set_back(pair: Bench) -> None:
    pair[SENDER].refer(RECIPIENT)
    pair.settle()
    pair.clock.move(timedelta(hours=-1))
    assert _next(pair).handed_over_before == pair.clock()
