"""The announcement: how to seal to us, and how far we are."""

from datetime import timedelta

from consumers.agency.announcer import next_announcement
from referral_bus.ledger import handing_over
from referral_bus.wire.avro_codec import decode, encode
from schemas.events import AgencyAnnouncement
from schemas.schema_index import by_fingerprint
from tests.kit.bench import Bench
from tests.kit.people import RECIPIENT, SENDER


def _next(trio: Bench) -> AgencyAnnouncement:
    station, now = trio[RECIPIENT], trio.clock()
    return next_announcement(station.ledger, station.register, station.keyring.announced(now), now, "1.2.3")


def test_no_two_announcements_ever_share_a_place(trio: Bench) -> None:
    before = _next(trio)
    trio[RECIPIENT].reopen()
    after = _next(trio)
    assert (after.incarnation, after.counter) == (before.incarnation, before.counter + 1)


def test_it_says_how_to_seal_to_us_what_we_read_and_which_register_we_have(trio: Bench) -> None:
    announcement = _next(trio)
    assert announcement.sealing_keys == tuple(key.public for key in trio[RECIPIENT].keyring.epochs)
    assert set(announcement.readable_schemas) == set(by_fingerprint())
    assert announcement.register_version == trio.register.version
    assert announcement.register_sha256.hex() == trio.register.sha256
    assert {offer.service_type for offer in announcement.services} == {"health", "mhpss", "disability-rehabilitation"}
    assert decode(encode(announcement)) == announcement


def test_it_tells_before_when_everything_has_been_handed_over(trio: Bench) -> None:
    assert _next(trio).handed_over_before == trio.clock()
    trio[SENDER].refer(RECIPIENT)
    trio.settle()
    stored_at = trio.clock()
    trio.clock.move(timedelta(hours=1))
    trio[SENDER].refer(RECIPIENT)
    trio.settle()
    assert _next(trio).handed_over_before == stored_at
    with trio[RECIPIENT].ledger.write() as tx:
        handing_over.acknowledged_up_to(tx, 10**6, trio.clock())
    assert _next(trio).handed_over_before == trio.clock()


def test_it_counts_the_open_and_the_overdue_referrals_to_us(trio: Bench) -> None:
    open_one, rejected = trio[SENDER].refer(RECIPIENT), trio[SENDER].refer(RECIPIENT)
    trio[RECIPIENT].refer(SENDER)
    trio.settle()
    trio[RECIPIENT].say("reject", rejected, outcome_reason="no-capacity")
    announcement = _next(trio)
    assert (announcement.open_referrals, announcement.overdue_referrals) == (1, 0)
    trio.clock.move(timedelta(hours=24, milliseconds=1))
    assert (_next(trio).open_referrals, _next(trio).overdue_referrals) == (1, 1)
    trio[RECIPIENT].say("accept", open_one)
    assert (_next(trio).open_referrals, _next(trio).overdue_referrals) == (1, 0)
