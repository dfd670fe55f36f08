"""Answers a request that is repeated under its idempotency key with the first answer. Each caller has keys of its own;
keys and requests are kept only as keyed digests."""

from datetime import datetime

import sqlalchemy as sa

from referral_bus.errors import Reason, Refused
from referral_bus.ledger import tables
from referral_bus.ledger.store import Tx
from schemas.events import ReferralKey

_C = tables.idempotency.c
ERASED = "erased"


def recall(tx: Tx, caller: str, key: str, request: bytes, path: str) -> str | None:
    """The first answer to this request; None if the key is new. Raises `Refused` if the caller has used the key for
    another request, or the answer's referral was erased; `path` is the key's path in the input."""
    here = (_C.caller == caller, _C.key_digest == tx.at_rest.digest("idempotency_key", key.encode()))
    row = tx.connection.execute(sa.select(_C.request_digest, _C.answer).where(*here)).one_or_none()
    if row is None:
        return None
    if row.answer == ERASED:
        raise Refused(Reason.REFERRAL_ERASED, "the referral of this key has been erased; use a new key", path)
    if row.request_digest != tx.at_rest.digest("request", request):
        raise Refused(Reason.IDEMPOTENCY_KEY_REUSED, "this key was used for another request; use a new key", path)
    return str(row.answer)


def remember(tx: Tx, caller: str, key: str, request: bytes, answer: str, now: datetime) -> None:
    """Keeps the answer to a request under a new key."""
    tx.connection.execute(
        sa.insert(tables.idempotency).values(
            caller=caller,
            key_digest=tx.at_rest.digest("idempotency_key", key.encode()),
            request_digest=tx.at_rest.digest("request", request),
            answer=answer,
            created_at=now,
        )
    )


def forget(tx: Tx, key: ReferralKey) -> None:
    """Marks the keys whose answer is a referral that was erased, and deletes the digests of their requests. The keys
    stay used: otherwise a caller's next attempt would send the withdrawn referral again."""
    answers = [about(key), *([str(key.referral_id)] if key.sender == tx.code else [])]
    here = _C.answer.in_([sa.literal(answer, sa.JSON) for answer in answers])
    tx.connection.execute(sa.update(tables.idempotency).where(here).values(request_digest=b"", answer=ERASED))


def about(key: ReferralKey) -> str:
    """The answer that is kept for a verb: the referral that it was about, as SENDER/ID. The answer to a new referral is
    its id alone."""
    return f"{key.sender}/{key.referral_id}"
