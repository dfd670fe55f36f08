"""`inbox` and `todo`: list what came in, the referrals that fit a filter, and what waits for this agency's people."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated

import typer

from deploy.app.agency_client import AgencyClient
from deploy.app.commands.given_texts import from_files
from deploy.app.commands.options import HomeOption, JsonOption, client_of, parse_time
from deploy.app.output import already_done, say, say_all, say_json
from deploy.app.views.list_views import (
    found_document,
    limited,
    received_document,
    received_line,
    stood_line,
    task_line,
    todo_document,
)
from deploy.app.views.text_layout import entries
from deploy.app.worklist import Filter, Found, find
from deploy.app.worklist import todo as waiting_tasks
from referral_bus.errors import Reason, Refused
from referral_bus.stages import Stage
from schemas.code_lists import known

AFTER = typer.Option(
    "--after",
    min=0,
    max=2**63 - 1,
    metavar="CURSOR",
    help="Only what came later; everything up to it counts as taken.",
)
MostOption = Annotated[int, typer.Option("--most", min=1, max=10_000, help="Maximum number of rows.")]
ReferralsWith = Annotated[str | None, typer.Option("--with", metavar="AGENCY", help="Referrals with this agency.")]
AtStage = Annotated[Stage | None, typer.Option("--stage", help="Referrals at this stage; `codes stages` lists them.")]
DueBefore = Annotated[
    str | None,
    typer.Option("--due-before", metavar="TIME", help="Referrals due before, with offset: 2026-11-23T19:00+05:00."),
]

CaseNumberFile = Annotated[
    str | None,
    typer.Option("--local-ref-file", metavar="FILE", help="The case number from a file; - is standard input."),
]


def inbox(  # every parameter is an option
    home: HomeOption,
    after: Annotated[int, AFTER] = 0,
    take: Annotated[bool, typer.Option("--take", help="Take events from the webhook or handler of --after.")] = False,
    most: MostOption = 100,
    counterpart: ReferralsWith = None,
    stage: AtStage = None,
    mine: Annotated[bool, typer.Option("--mine", help="Referrals where our people must act next.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Referrals past a deadline.")] = False,
    due_before: DueBefore = None,
    priority: Annotated[str | None, typer.Option("--priority", help="Referrals of this priority.")] = None,
    local_ref: Annotated[str | None, typer.Option("--local-ref", help="Referrals of our case number.")] = None,
    local_ref_file: CaseNumberFile = None,
    json: JsonOption = False,
) -> None:
    """What came in, in the order in which it was stored; takes nothing. With --after CURSOR: what came later, and
    everything up to the cursor counts as taken. With a filter: the referrals, sent and received, that fit it, open ones
    first, the earliest deadline first."""
    if priority is not None and not known("priority", priority):
        raise Refused(Reason.CODE_UNKNOWN, "use a code of the list; see `referral-bus codes priority`", "--priority")
    case_number = from_files({"local_ref": local_ref, "local_ref_file": local_ref_file})["local_ref"]
    by = Filter(counterpart, stage, case_number, priority, overdue, mine=mine)
    if due_before is not None:
        by = replace(by, due_before=parse_time(due_before, "--due-before"))
    if by == Filter():
        _say_received(client_of(home), after, take, most, json)
    elif after or take:
        raise Refused(
            Reason.VALUE_REFUSED, "a filter lists referrals, --after events; ask for one of the two", "--after"
        )
    else:
        client = client_of(home)
        _say_referrals(client, find(client, by, most), json)


def _say_received(client: AgencyClient, after: int, take: bool, most: int, json: bool) -> None:
    taken = _take(client, after, take)
    with already_done(f"taken up to cursor {after}: {taken}") if taken else nullcontext():
        _answer(client, after, taken, most, json)


def _answer(client: AgencyClient, after: int, taken: int, most: int, json: bool) -> None:
    received, total = client.look_after(after, most), client.count_after(after)
    cursor = received[-1].cursor if received else after
    if json:
        events = [received_document(each) for each in received]
        say_json({"cursor": cursor, "shown": len(events), "total": total, "taken": taken, "events": events})
        return
    if taken:
        say(f"taken: {taken} event{'' if taken == 1 else 's'} up to cursor {after}")
    say_all(entries(received_line(each, client.settings.time_zone) for each in received))
    say(f"{limited(len(received), total)} received; `show ID` says all of one" if received else "nothing new")


def _take(client: AgencyClient, after: int, take: bool) -> int:
    """Acknowledges everything up to the cursor `after`; returns how many events were not acknowledged before."""
    consumer = "webhook" if client.settings.webhook_url else "handler" if client.settings.handler else None
    if after == 0:
        if take:
            raise Refused(Reason.FIELD_MISSING, "--take takes what is up to a cursor; name it", "--after")
        return 0
    if consumer is not None and not take:
        advice = f"this takes away from the {consumer} every event up to this cursor that it has not taken; add --take"
        raise Refused(Reason.FIELD_MISSING, advice, "--take")
    return client.take(after)


def _say_referrals(client: AgencyClient, found: Found, json: bool) -> None:
    now, zone = client.clock(), client.settings.time_zone
    if json:
        say_json(found_document(found, now))
        return
    say_all(entries(stood_line(each, now, zone) for each in found.referrals))
    name = "referral" if found.total == 1 else "referrals"
    say(f"{limited(len(found.referrals), found.total)} {name}" if found.total else "no referral fits")


def todo(home: HomeOption, most: MostOption = 100, json: JsonOption = False) -> None:
    """What waits for our people, the oldest first: referrals at a stage where they must act, questions, requests to
    cancel, erasures. Dead letters are counted."""
    client = client_of(home)
    found, now = waiting_tasks(client, most), client.clock()
    if json:
        say_json(todo_document(found, now))
        return
    say_all(entries(task_line(task, now, client.settings.time_zone) for task in found.tasks))
    say(f"{limited(len(found.tasks), found.total)} wait for us" if found.total else "nothing waits for us")
    if found.dead_letters:
        waits = "dead letter waits" if found.dead_letters == 1 else "dead letters wait"
        say(f"{found.dead_letters} {waits}; see `referral-bus dead-letters list`")


def add_to(app: typer.Typer) -> None:
    app.command()(inbox)
    app.command()(todo)
