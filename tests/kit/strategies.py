"""Hypothesis strategies for everything that travels: the clear records field by field, and their bodies."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from schemas import events, personal
from schemas.events import AnyRecord
from schemas.sealing_keys import AHEAD, SealingKey, epoch_at, epoch_start
from tests.kit.schemas.strategies import INSTANTS, models

AGENCIES = st.from_regex(r"[a-z][a-z0-9]{2,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,39}", fullmatch=True)
PATHS = st.from_regex(r"[a-z][a-z0-9_]{0,29}", fullmatch=True)
KEY_IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
FROM_ONE = st.integers(1, 2**53 - 1)
FROM_ZERO = st.integers(0, 2**53 - 1)
INCARNATIONS = st.integers(1, events.HIGHEST_INCARNATION)
HASHES = st.binary(min_size=32, max_size=32)
FINGERPRINTS = st.binary(min_size=8, max_size=8)
IDS = st.uuids()

EVENT: dict[str, st.SearchStrategy[Any]] = {
    "event_id": IDS,
    "referral_id": IDS,
    "referral_sender": AGENCIES,
    "writer": AGENCIES,
    "addressee": AGENCIES,
    "occurred_at": INSTANTS,
    "register_version": FROM_ONE,
}
PLACES = st.tuples(INCARNATIONS, FROM_ONE)
SEALED: dict[str, st.SearchStrategy[Any]] = EVENT | {"sealing_key_id": KEY_IDS, "sealed": st.binary(max_size=200)}


def _ordered(model: type[Any], content: dict[str, Any], places: tuple[Any, Any, bool]) -> Any:
    """The event at the later of two places, following the other one, or none."""
    before, own = sorted(places[:2])
    if places[2] or before == own:
        before = (0, 0)
    order = {"incarnation": own[0], "sequence": own[1], "follows_incarnation": before[0], "follows_sequence": before[1]}
    return model(**content, **order)


def _sealed_events(model: type[Any], fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    content = st.fixed_dictionaries(SEALED | fields)
    return st.builds(_ordered, st.just(model), content, st.tuples(PLACES, PLACES, st.booleans()))


REFERRAL_EVENTS: st.SearchStrategy[events.ReferralEvent] = _sealed_events(
    events.ReferralEvent, {"priority": WORDS, "acknowledge_by": INSTANTS, "respond_by": INSTANTS}
)
STATUS_EVENTS: st.SearchStrategy[events.StatusEvent] = _sealed_events(events.StatusEvent, {"status": st.none() | WORDS})
SEALABLE_EVENTS = REFERRAL_EVENTS | STATUS_EVENTS
ERASURE_EVENTS = st.builds(
    events.ErasureEvent,
    **EVENT,
    incarnation=INCARNATIONS,
    sequence=FROM_ONE,
    status=st.none() | WORDS,
    kind=WORDS,
    reason=WORDS,
)
RECEIPT_ITEMS = st.builds(
    events.ReceiptItem,
    value_sha256=HASHES,
    event_id=st.none() | IDS,
    outcome=WORDS,
    code=st.none() | WORDS,
    path=st.none() | PATHS,
    held_incarnation=st.just(0) | INCARNATIONS,
    held_sequence=FROM_ZERO,
)
RECEIPTS = st.builds(
    events.StorageReceipt,
    receipt_id=IDS,
    writer=AGENCIES,
    addressee=AGENCIES,
    incarnation=INCARNATIONS,
    issued_at=INSTANTS,
    items=st.lists(RECEIPT_ITEMS, min_size=1, max_size=4).map(tuple),
)
OFFERS = st.builds(events.ServiceOffer, service_type=WORDS, capacity=WORDS)
EPOCHS = st.integers(0, 97_000)
SEALABLE = HASHES.filter(lambda raw: raw[1:31] != bytes(30))  # the low-order ones that shrinking would find
WITHIN_90_DAYS = st.integers(0, 90 * 86_400_000).map(lambda millis: timedelta(milliseconds=millis))


def sealing_key(epoch: int, public_key: bytes) -> SealingKey:
    start, end = epoch_start(epoch), epoch_start(epoch + 1)
    return SealingKey(epoch=epoch, public_key=public_key, valid_from=start, valid_until=end)


@st.composite
def _announcements(draw: st.DrawFn) -> events.AgencyAnnouncement:
    issued_at = epoch_start(draw(EPOCHS)) + draw(WITHIN_90_DAYS)
    ahead = draw(st.lists(st.integers(0, AHEAD), max_size=3))
    return draw(
        st.builds(
            events.AgencyAnnouncement,
            agency=AGENCIES,
            incarnation=INCARNATIONS,
            counter=FROM_ONE,
            issued_at=st.just(issued_at),
            expires_at=WITHIN_90_DAYS.map(lambda later: issued_at + later),
            register_version=FROM_ONE,
            register_sha256=HASHES,
            sealing_keys=st.just(tuple(sealing_key(epoch_at(issued_at) + each, draw(SEALABLE)) for each in ahead)),
            readable_schemas=st.lists(FINGERPRINTS, max_size=4).map(tuple),
            services=st.lists(st.builds(events.ServiceOffer, service_type=WORDS, capacity=WORDS), max_size=3).map(
                tuple
            ),
            handed_over_before=INSTANTS.map(lambda moment: min(moment, issued_at)),
            open_referrals=FROM_ZERO,
            overdue_referrals=FROM_ZERO,
            handovers_blocked=FROM_ZERO,
            audit_count=FROM_ZERO,
            audit_head=HASHES,
            software_version=st.from_regex(r"[0-9A-Za-z.+-]{1,40}", fullmatch=True),
        )
    )


ANNOUNCEMENTS = _announcements()
NOTICES = st.builds(
    events.DeadLetterNotice,
    notice_id=IDS,
    agency=AGENCIES,
    issued_at=INSTANTS,
    code=WORDS,
    path=st.none() | PATHS,
    event_id=st.none() | IDS,
    topic=st.from_regex(r"[A-Za-z0-9._-]{1,40}", fullmatch=True),
    partition=st.integers(0, 2**31 - 1),
    offset=FROM_ZERO,
    schema_fingerprint=st.none() | FINGERPRINTS,
    count=FROM_ONE,
)
STEWARD_SIGNATURES = st.builds(events.StewardSignature, key_id=KEY_IDS, signature=st.binary(min_size=64, max_size=64))
REGISTER_VERSIONS = st.builds(
    events.RegisterVersion,
    version=FROM_ONE,
    issued_at=INSTANTS,
    register_file=st.binary(max_size=300),
    signatures=st.lists(STEWARD_SIGNATURES, max_size=3).map(tuple),
)

CLEAR_RECORDS: dict[str, st.SearchStrategy[Any]] = {
    "ReferralEvent": REFERRAL_EVENTS,
    "StatusEvent": STATUS_EVENTS,
    "ErasureEvent": ERASURE_EVENTS,
    "StorageReceipt": RECEIPTS,
    "AgencyAnnouncement": ANNOUNCEMENTS,
    "DeadLetterNotice": NOTICES,
    "RegisterVersion": REGISTER_VERSIONS,
}
ANY_CLEAR_RECORD: st.SearchStrategy[AnyRecord] = st.one_of(*CLEAR_RECORDS.values())


def record_named(name: str) -> st.SearchStrategy[Any]:
    """Valid records of this name, clear or a body."""
    return CLEAR_RECORDS[name] if name in CLEAR_RECORDS else models(getattr(personal, name))
