"""Publishing: checks referral requests and writes them to the ledger in one transaction. A list is written whole or not
at all."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from producers.plausibility import implausible_request, implausible_values, unknown_agency
from producers.refusals import unknown_code_refusals
from referral_bus.clock import Clock
from referral_bus.errors import Reason, Refused, RefusedEach, refused_together
from referral_bus.federation.register import Register
from referral_bus.federation.register_models import Agency
from referral_bus.ledger import repeated_requests
from referral_bus.ledger.audit import SERVICE
from referral_bus.ledger.idempotency import recall, remember
from referral_bus.ledger.own_events import NewId, NewReferral, Writing, write_referral
from referral_bus.ledger.queries import undelivered
from referral_bus.ledger.referrals import load, open_about
from referral_bus.ledger.repeated_requests import Repeat
from referral_bus.ledger.store import Ledger, Tx
from referral_bus.wire.avro_codec import encode
from referral_bus.wire.sealing import BodyTooLarge, pad
from schemas.deadlines import acknowledge_by, respond_by
from schemas.events import ReferralKey
from schemas.referral_request import ReferralRequest


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to one request. `again` is true when the same request was made before: under the same idempotency key,
    or, with `Repeat.IS_NOTICED`, without a key within the last ten minutes. Then no new referral was started, and
    `referral_id` is that of the earlier one. `open_already`: other open referrals of the same person to the same
    recipient, a few at most."""

    referral_id: UUID
    again: bool = False
    open_already: tuple[UUID, ...] = ()


def publish(
    ledger: Ledger,
    register: Register,
    requests: Sequence[ReferralRequest],
    clock: Clock,
    new_id: NewId,
    caller: str,
    by: str = SERVICE,
    repeat: Repeat = Repeat.IS_NEW,
) -> list[Published]:
    """Checks every request and writes all of them durably; returns one answer for each, in their order. Raises
    `Refused` naming every mistake in the requests, up to twenty; then nothing is written.
    `caller`: the client whose idempotency keys these are. `by`: the person or service that asked, for the audit.
    `repeat`: what the same list without idempotency keys means when it comes again."""
    several = len(requests) > 1
    writing = Writing(clock(), register.version, new_id, by)
    published: list[Published] = []
    mistakes: list[Refused] = []
    with ledger.write() as tx:
        earlier = _earlier(tx, caller, requests, writing.now) if repeat is Repeat.IS_NOTICED else {}
        for place, request in enumerate(requests):
            at = f"[{place}]." if several else ""
            try:
                published.append(earlier.get(place) or _publish_one(tx, register, request, at, writing, caller))
            except RefusedEach as error:
                mistakes += error.each
            except Refused as error:
                mistakes.append(error)
        if mistakes:
            raise refused_together(mistakes)  # rolls back what was written for the others
        if repeat is not Repeat.IS_NEW and not earlier:
            _remember(tx, caller, requests, published, writing.now)
    return published


def _keyless(requests: Sequence[ReferralRequest]) -> list[int]:
    return [place for place, request in enumerate(requests) if request.idempotency_key is None]


def _asked(requests: Sequence[ReferralRequest]) -> bytes:
    return b"publish\n" + b"\n".join(request.model_dump_json().encode() for request in requests)


def _earlier(tx: Tx, caller: str, requests: Sequence[ReferralRequest], now: datetime) -> dict[int, Published]:
    """The answers that the very same list got within the last ten minutes, by place in the list, for its requests
    without a key. Empty where all of these referrals have ended since: then the list starts new ones. Raises `Refused`
    where only some of them have."""
    keyless = _keyless(requests)
    found = repeated_requests.recall(tx, caller, _asked(requests), now) if keyless else {}
    stand = {place: each.referral.referral_id for place, each in found.items() if _stands(tx, each.referral)}
    if stand and len(stand) < len(keyless):
        erased = len(found) < len(keyless)
        advice = (
            "this very list was published a few minutes ago, and some of its referrals were "
            f"{'erased' if erased else 'ended or refused'} since; say --again to publish all of it anew"
        )
        raise Refused(Reason.REFERRAL_ERASED if erased else Reason.TRANSITION_REFUSED, advice)
    return {place: Published(referral_id, again=True) for place, referral_id in stand.items()}


def _stands(tx: Tx, key: ReferralKey) -> bool:
    """Whether the referral is open, and its recipient has not refused it."""
    referral = load(tx, key)
    return referral is not None and referral.open and not undelivered(tx, key)


def _remember(
    tx: Tx, caller: str, requests: Sequence[ReferralRequest], published: Sequence[Published], now: datetime
) -> None:
    keys = {place: ReferralKey(tx.code, published[place].referral_id) for place in _keyless(requests)}
    repeated_requests.remember(tx, caller, _asked(requests), keys, now)


def _publish_one(
    tx: Tx, register: Register, request: ReferralRequest, at: str, writing: Writing, caller: str
) -> Published:
    """Checks and writes one request. Its idempotency key is looked up before any check: a request that was accepted
    once gets the same answer again, even where a check would refuse it now."""
    key, content = request.idempotency_key, request.model_dump_json().encode()
    earlier = None if key is None else recall(tx, caller, key, content, f"{at}idempotency_key")
    if earlier is not None:
        return Published(UUID(earlier), again=True)
    new = _check(tx, register, request, writing.now, at)
    about = open_about(tx, request.body.person.subject_ref, request.recipient)
    open_already = tuple(each for each in about if each != request.body.request.replaces)
    referral_id = write_referral(tx, new, writing).referral_id
    if key is not None:
        remember(tx, caller, key, content, str(referral_id), writing.now)
    return Published(referral_id, open_already=open_already)


def _check(tx: Tx, register: Register, request: ReferralRequest, now: datetime, at: str) -> NewReferral:
    """Applies the rules of the recipient, and those that only the sender applies (see `plausibility`). Raises `Refused`
    with all mistakes, in the order of the request's fields."""
    mistakes = [
        *unknown_code_refusals(request, at),
        *_recipient(register, tx.code, request, now, at),
        *_consent(request, now, f"{at}body.consent.expires_at"),
        *implausible_request(tx, request, now, at),
    ]
    if mistakes:
        raise refused_together(mistakes)
    acknowledge = request.acknowledge_by or acknowledge_by(request.priority, now)
    respond = request.respond_by or respond_by(request.priority, now)
    if respond < acknowledge:
        raise Refused(Reason.VALUE_REFUSED, "respond_by may not be before acknowledge_by", f"{at}respond_by")
    try:
        pad(encode(request.body))
    except BodyTooLarge:
        raise Refused(Reason.TOO_LARGE, "the body is over 16 KiB; shorten the texts", f"{at}body") from None
    return NewReferral(request.recipient, request.priority, acknowledge, respond, request.body, request.local_ref)


def judge_in_part(
    register: Register, sender: str, request: ReferralRequest, now: datetime, at: str
) -> Iterator[Refused]:
    """The mistakes in a request of which some fields are malformed: applies each rule whose fields are well formed."""
    recipient = _recipient(register, sender, request, now, at)
    consent = _consent(request, now, f"{at}body.consent.expires_at")
    for mistakes in (recipient, consent, *implausible_values(request, now, at)):
        with suppress(AttributeError):  # this rule reads a malformed field; see `schemas.partial`
            yield from mistakes


def _recipient(register: Register, sender: str, request: ReferralRequest, now: datetime, at: str) -> Iterator[Refused]:
    """What keeps this recipient from being referred to; at most one mistake, since each check needs the one before."""
    recipient, path = request.recipient, f"{at}recipient"
    agency = register.agency(recipient)
    if agency is None:
        yield unknown_agency(path)
    elif not agency.receives_referrals:
        yield Refused(Reason.RECEIVES_NO_REFERRALS, f"this agency receives no referrals{_successor(agency)}", path)
    elif register.expired(now):
        yield Refused(Reason.REGISTER_EXPIRED, "the register has expired; get the newest from a steward")
    elif not register.agreed(sender, recipient, now):
        advice = f"no agreement in force lets you refer to this agency{_successor(agency)}"
        yield Refused(Reason.NOT_AGREED, advice, path)
    elif request.body.consent.recipient != recipient:
        advice = "consent names another agency than the recipient"
        yield Refused(Reason.CONSENT_INVALID, advice, f"{at}body.consent.recipient")


def _successor(agency: Agency) -> str:
    return f"; its successor is {agency.succeeded_by}" if agency.succeeded_by else ""


def _consent(request: ReferralRequest, now: datetime, path: str) -> Iterator[Refused]:
    if request.body.consent.expires_at <= now:
        yield Refused(Reason.CONSENT_INVALID, "consent has expired; ask the person again", path)
