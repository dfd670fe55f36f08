"""The monitor's overview, drawn in a terminal or as one JSON document. Every text goes through `printable`, since other
agencies wrote the codes and mailboxes."""

from collections import Counter
from dataclasses import asdict, astuple
from datetime import timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from consumers.monitor.agency_states import AgencyState
from consumers.monitor.needs import Need, NeedKind
from consumers.monitor.overview import Overview
from consumers.monitor.silence import PresenceCode
from deploy.app.output import local_time, printable
from deploy.app.views.table import Listing
from referral_bus.federation.register import Register
from referral_bus.federation.register_models import Contact

_RED = frozenset({NeedKind.FORGED, NeedKind.REPLAYED, NeedKind.UNAGREED, NeedKind.MONITOR_BEHIND, NeedKind.STALLED})
_SHORT = 8


def document(seen: Overview, running: bool) -> dict[str, Any]:
    return {"running": running, "stale": seen.stale, **asdict(seen)}


def drawing(seen: Overview, register: Register, running: bool, zone: str) -> RenderableType:
    """The whole page, as Rich renders it."""
    parts: list[RenderableType] = [_header(seen, register, running, zone), Text()]
    parts.append(_needs(seen, zone) if seen.needs else Text("Nothing needs a person now.", style="green"))
    parts += [Text(), _agencies(seen, zone), Text(), _flows(seen)]
    if seen.waiting:
        parts += [Text(), _waiting(seen, zone)]
    return Group(*parts)


def _header(seen: Overview, register: Register, running: bool, zone: str) -> Text:
    read = "not everything read yet"
    if seen.complete_at is not None:
        read = f"read up to {local_time(seen.complete_at, zone)}"
        read += f"; knows everything since {local_time(seen.knows_since, zone)}"
    state = "running" if seen.kafka_answers else "running, but KAFKA DOES NOT ANSWER"
    state = state if running else "NOT RUNNING; start it with: referral-bus monitor run"
    line = printable(f"Flow monitor of {register.federation}: {state}; {read}")
    return Text(line, style="" if running and seen.kafka_answers and not seen.stale else "bold red")


def _needs(seen: Overview, zone: str) -> Listing:
    table = Listing("Needs a person now", ("what", "agency", "", "number", "since", "whom to call"))
    for need in seen.needs:
        since = local_time(need.since, zone) if need.since else ""
        cells = (need.kind, need.agency or "", need.what, need.number, since, _acts(need))
        table.add(cells, "bold red" if need.kind in _RED else "yellow")
    return table


def _agencies(seen: Overview, zone: str) -> Listing:
    names = ("agency", "service", "last heartbeat", "open", "overdue", "says open", "says overdue", "unread")
    table = Listing("Agencies", names)
    unread = Counter[str]()
    for lag in seen.lags:
        unread[lag.agency] += lag.records
    for state in seen.agencies:
        said = state.announced
        heard = local_time(state.heard_at, zone) if state.heard_at else "never"
        says = (said.open_referrals, said.overdue_referrals) if said else ("", "")
        cells = (state.code, _presence(state), heard, state.open, state.overdue, *says, unread[state.code])
        table.add(cells, "" if state.presence is PresenceCode.THERE else "yellow")
    return table


def _presence(state: AgencyState) -> str:
    return f"{state.presence}, {state.connection}" if state.connection else "NOT IN THE REGISTER"


def _flows(seen: Overview) -> Listing:
    names = ("from", "to", "referrals", "stored", "refused", "answered", "closed", "overdue")
    table = Listing("Flows", names)
    for row in seen.flows:
        table.add(astuple(row), "yellow" if row.overdue or row.refused else "")
    return table


def _waiting(seen: Overview, zone: str) -> Listing:
    table = Listing("Waiting, by deadline", ("referral", "from", "to", "waits to be", "due", "", "whom to call"))
    contacts = {state.code: state.contact for state in seen.agencies}
    for one in seen.waiting:
        late = one.due is not None and one.due < seen.now
        due = local_time(one.due, zone) if one.due else "not known"
        left = f"{span(abs(one.due - seen.now))} {'late' if late else 'left'}" if one.due else ""
        short, call = str(one.referral_id)[:_SHORT], _call(contacts.get(one.recipient))
        table.add((short, one.sender, one.recipient, one.stage, due, left, call), "yellow" if late else "")
    return table


def _acts(need: Need) -> str:
    return f"the operators of the bus: {need.operators_do}" if need.operators_do else _call(need.contact)


def _call(contact: Contact | None) -> str:
    return f"{contact.function}, {contact.mailbox}, {contact.hours}" if contact else ""


def span(length: timedelta) -> str:
    """A length of time in the largest unit that fits, as in `3 days` or `1 hour`."""
    seconds = int(length.total_seconds())
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {name}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"
