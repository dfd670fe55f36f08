"""Lists as documents for --json and as lines for people: events that came in, referrals, tasks."""

from datetime import datetime
from typing import Any

from deploy.app.output import local_time
from deploy.app.views.event_views import referral_document
from deploy.app.views.sealed_view import status_words
from deploy.app.worklist import Found, Stood, Task, TaskKind, Todo
from referral_bus.ledger.handovers import Received
from referral_bus.ledger.referrals import Referral
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.stages import Stage
from schemas.lifecycle import Side
from schemas.personal import ReferralBody, StatusBody

_NEXT = {
    TaskKind.QUESTION: "answer",
    TaskKind.CANCELLATION: "confirm-cancel or refuse-cancel",
    TaskKind.ERASURE: "see `why`",
    Stage.NOT_SEEN: "see, accept or reject",
    Stage.NOT_ANSWERED: "accept or reject",
    Stage.IN_SERVICE: "start, note, complete or fail",
}
"""The next command for a task; for all others `why` says more."""


def limited(shown: int, total: int) -> str:
    """As in `20 of 588`; the number alone where all are shown."""
    return str(total) if shown == total else f"{shown} of {total}"


def left_out(shown: int, total: int) -> list[str]:
    """The last line of a list from which rows are left out; none for a whole list."""
    return [] if shown == total else [f"{limited(shown, total)} shown; --most shows more"]


def page_document(name: str, documents: list[dict[str, Any]], total: int) -> dict[str, Any]:
    """A JSON document with a list, how many rows it shows, and how many there are in all."""
    return {"shown": len(documents), "total": total, name: documents}


def found_document(found: Found, now: datetime) -> dict[str, Any]:
    referrals = [_stood_document(each, now) for each in found.referrals]
    return page_document("referrals", referrals, found.total)


def todo_document(found: Todo, now: datetime) -> dict[str, Any]:
    tasks = [_task_document(task, now) for task in found.tasks]
    return {"dead_letters": found.dead_letters} | page_document("tasks", tasks, found.total)


def _task_document(task: Task, now: datetime) -> dict[str, Any]:
    return {
        "what": task.what,
        "since": task.since,
        "due": task.due,
        "overdue": task.overdue(now),
        "id": task.about.key.referral_id,
        "sender": task.about.key.sender,
        "side": task.about.side,
        "peer": task.about.peer,
        "priority": task.about.priority if isinstance(task.about, Referral) else None,
    }


def task_line(task: Task, now: datetime, zone: str) -> str:
    about = task.about
    due = f"  due {local_time(task.due, zone)}" if task.due else ""
    late = "  OVERDUE" if task.overdue(now) else ""
    priority = f"  {about.priority}" if isinstance(about, Referral) else ""
    do = _NEXT.get(task.what, "see `why`")
    since = local_time(task.since, zone)
    return f"{_short(about)}  {task.what}{priority}  {_way(about)}  since {since}{due}{late}  next: {do}"


def _short(about: Referral | Tombstone) -> str:
    return str(about.key.referral_id)[:8]


def _way(about: Referral | Tombstone) -> str:
    return f"{about.peer} → us" if about.side is Side.RECIPIENT else f"us → {about.peer}"


def _stood_document(stood: Stood, now: datetime) -> dict[str, Any]:
    standing = stood.standing
    return referral_document(stood.referral) | {
        "stage": standing.stage,
        "actor": standing.actor,
        "due": standing.due,
        "overdue": standing.overdue(now),
        "mine": stood.ours,
    }


def stood_line(stood: Stood, now: datetime, zone: str) -> str:
    referral, standing = stood.referral, stood.standing
    due = f"  due {local_time(standing.due, zone)}" if standing.due else ""
    late = "  OVERDUE" if standing.overdue(now) else ""
    ours = "  ours" if stood.ours else ""
    says = f"{referral.status}  {referral.priority}  {standing.stage}"
    return f"{_short(referral)}  {_way(referral)}  {says}{due}{late}{ours}"


def received_document(received: Received) -> dict[str, Any]:
    return {
        "cursor": received.cursor,
        "event_id": received.event_id,
        "referral_id": received.referral.referral_id,
        "sender": received.referral.sender,
        "from": received.peer,
        "record": received.record,
        "status": received.status,
        "kind": received.kind,
        "reason": received.reason,
        "occurred_at": received.occurred_at,
        "stored_at": received.recorded_at,
        "body": received.body,
    }


def received_line(received: Received, zone: str) -> str:
    time = local_time(received.recorded_at, zone)
    says = _erasure(received) or _says(received.status, received.body, zone)
    return f"{received.cursor:>6}  {time}  {str(received.referral.referral_id)[:8]}  {received.peer}: {says}"


def _erasure(received: Received) -> str | None:
    return None if received.kind is None else f"erasure {received.kind} ({received.reason})"


def _says(status: object, body: ReferralBody | StatusBody | None, zone: str) -> str:
    """What an event says: of a referral only the services, since `show` has the rest; of a later event everything."""
    if isinstance(body, ReferralBody):
        return f"referral: {', '.join(body.request.service_types)}"
    said = [] if status is None else [str(status)]
    said += [status_words(body, zone)] if isinstance(body, StatusBody) else []
    return ", ".join(filter(None, said)) or "(nothing more)"
