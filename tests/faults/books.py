"""Reading an agency's ledger whole, for the checker."""

from collections.abc import Sequence, Set
from uuid import UUID

import sqlalchemy as sa

from deploy.app.agency_client import AgencyClient
from referral_bus.ledger import tables
from referral_bus.ledger.at_rest import body_of
from referral_bus.ledger.handovers import read_body
from referral_bus.ledger.outbox import FINAL, OutboxState
from referral_bus.ledger.own_agency import own_incarnation
from referral_bus.ledger.peers import all_peers
from referral_bus.ledger.queries import statuses
from referral_bus.ledger.store import Tx
from schemas.events import Place, ReferralKey
from schemas.lifecycle import Status
from schemas.outcomes import Outcome
from schemas.personal import ReferralBody, StatusBody
from tests.faults.checker import Book, Entry, Heard

_E, _O, _R, _H = tables.events.c, tables.outbox.c, tables.referrals.c, tables.handovers.c
_T = tables.tombstones.c


def read_book(client: AgencyClient, heard: Sequence[Heard], forgotten: Set[UUID]) -> Book:
    same = sa.and_(_R.referral_sender == _E.referral_sender, _R.referral_id == _E.referral_id)
    query = (
        sa.select(tables.events, _R.peer, _R.body_key, _O.state)
        .outerjoin(tables.referrals, same)
        .outerjoin(tables.outbox, _O.number == _E.number)
        .order_by(_E.number)
    )
    with client.ledger.read() as tx:
        entries = [_entry(tx, row._mapping) for row in tx.connection.execute(query)]
        rows = tx.connection.execute(sa.select(_T.referral_sender, _T.referral_id, _T.status)).all()
        erased = {ReferralKey(row.referral_sender, row.referral_id): Status(row.status) for row in rows}
        return Book(entries, statuses(tx), heard, erased, forgotten)


def _entry(tx: Tx, held: sa.RowMapping) -> Entry:
    key = ReferralKey(held["referral_sender"], held["referral_id"])
    return Entry(
        event_id=held["event_id"],
        referral=key,
        writer=held["writer"],
        addressee=held["peer"] if held["writer"] == tx.code else tx.code,
        place=Place(held["incarnation"], held["sequence"]),
        status=None if held["status"] is None else Status(held["status"]),
        outcome=Outcome(held["outcome"]),
        state=None if held["state"] is None else OutboxState(held["state"]),
        text=text_of(read_body(tx, held["body_key"], key, body_of(held["writer"], held["event_id"]), held["body"])),
    )


def text_of(body: ReferralBody | StatusBody | None) -> str | None:
    """What a person wrote."""
    if isinstance(body, ReferralBody):
        return body.request.need
    return None if body is None else body.text


def without_receipt(client: AgencyClient) -> int:
    """How many events of this agency wait for their addressee's final word."""
    query = sa.select(sa.func.count()).where(_O.state.not_in(FINAL))
    with client.ledger.read() as tx:
        return int(tx.connection.execute(query).scalar_one())


def knows_incarnation(client: AgencyClient, peer: AgencyClient) -> bool:
    """Whether this agency has heard the peer since its ledger was last restored, if it has ever heard it at all."""
    with peer.ledger.read() as tx:
        incarnation = own_incarnation(tx)
    with client.ledger.read() as tx:
        known = all_peers(tx).get(peer.settings.agency)
    return known is None or known.incarnation >= incarnation


def handed_over(client: AgencyClient) -> frozenset[UUID]:
    """The events that the agency's own system has taken, as its ledger knows."""
    query = sa.select(_E.event_id).join(tables.handovers, _H.number == _E.number).where(_H.done_at.is_not(None))
    with client.ledger.read() as tx:
        return frozenset(tx.connection.execute(query).scalars())


def written_by(client: AgencyClient) -> frozenset[UUID]:
    """The events that the agency has written itself."""
    with client.ledger.read() as tx:
        return frozenset(tx.connection.execute(sa.select(_E.event_id).where(_E.writer == tx.code)).scalars())


def came_in(client: AgencyClient) -> int:
    """How many events there are for the agency's own system."""
    with client.ledger.read() as tx:
        return int(tx.connection.execute(sa.select(sa.func.count(_H.number))).scalar_one())
