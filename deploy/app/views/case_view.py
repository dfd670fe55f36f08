"""The page of `show`: one referral for people to read."""

from collections.abc import Iterator

from deploy.app.agency_client import Case
from deploy.app.output import local_time
from deploy.app.views.sealed_view import referral_page, status_lines
from deploy.app.views.text_layout import wrapped
from deploy.app.views.why import troubles
from referral_bus.ledger.outbox import OutboxState
from referral_bus.ledger.queries import Step
from referral_bus.ledger.referrals import Referral
from schemas.lifecycle import Side
from schemas.personal import ReferralBody, StatusBody

_RECORDS = {"StatusEvent": "the sender's word", "ErasureEvent": "erasure"}  # shown for events without a status


def case_lines(case: Case, zone: str, width: int) -> Iterator[str]:
    """The page's lines: status and stage, deadlines, everything that was sealed, and the history, event by event."""
    referral, standing = case.referral, case.standing
    yield f"Referral {referral.key.referral_id}"
    first, answer = (local_time(due, zone) for due in (referral.acknowledge_by, referral.respond_by))
    facts = (
        _way(referral),
        f"status {referral.status}, priority {referral.priority}, stage {standing.stage}",
        *troubles(case),
        f"first word by {first}",
        f"answer by {answer}",
        f"our case number: {case.local_ref}" if case.local_ref else "",
    )
    for fact in filter(None, facts):
        yield from wrapped(fact, width, 4, "  ")
    for step in case.steps:
        if isinstance(step.body, ReferralBody):
            yield ""
            yield from referral_page(step.body, zone, width)
    yield ""
    yield "history"
    for step in case.steps:
        yield from _step_lines(step, zone, width)


def erased_lines(case: Case, zone: str, width: int) -> Iterator[str]:
    """The lines by which a person checks, before erasing, that this is the right referral."""
    referral = case.referral
    yield f"Referral {referral.key.referral_id}"
    bodies = [step.body for step in case.steps if isinstance(step.body, ReferralBody)]
    facts = [
        _way(referral),
        f"status {referral.status}, priority {referral.priority}, stage {case.standing.stage}",
        f"started {local_time(referral.created_at, zone)}, last word {local_time(referral.changed_at, zone)}",
        f"{len(case.steps)} event{'' if len(case.steps) == 1 else 's'}",
    ]
    facts += [f"our case number: {case.local_ref}"] if case.local_ref else []
    for body in bodies:
        facts += [f"person: {each}" for each in (body.person.name, body.person.case_code) if each]
        facts.append(f"services: {', '.join(body.request.service_types)}")
    for fact in facts:
        yield from wrapped(fact, width, 4, "  ")


def _way(referral: Referral) -> str:
    return f"{referral.key.sender} → {'us' if referral.side is Side.RECIPIENT else referral.peer}"


def _step_lines(step: Step, zone: str, width: int) -> Iterator[str]:
    arrow = "├─▶" if step.way == "sent" else "├─◀"
    told = step.state if step.way == "sent" else ("handed over" if step.handed_over_at else "not handed over")
    if step.code:  # a received event that was refused has no outbox state
        told = f"{told if step.way == 'sent' else OutboxState.REFUSED}, {step.code}"
    says = "referral" if isinstance(step.body, ReferralBody) else step.status or _RECORDS.get(step.record, step.record)
    yield from wrapped(f"{local_time(step.recorded_at, zone)}  {says}  ({told})", width, 4, f"  {arrow} ")
    if isinstance(step.body, StatusBody):
        yield from status_lines(step.body, zone, width, "  │     ")
