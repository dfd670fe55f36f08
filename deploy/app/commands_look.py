"""`inbox`, `show`, `why`: what came in, one referral, where it stands."""

from typing import Annotated

import typer

from deploy.app.case_view import case_lines
from deploy.app.desk import Desk, Stood
from deploy.app.erasures import erasure_document, erasure_sentence
from deploy.app.explain import why as explain
from deploy.app.layout import page_width
from deploy.app.options import HomeOption, JsonOption, ReferralArgument, desk_of
from deploy.app.output import say, say_all, say_json
from deploy.app.sending_trouble import hindrances_of, with_own_service
from deploy.app.views import (
    case_document,
    received_document,
    received_line,
    stood_document,
    stood_line,
)
from referral_bus.ledger.tombstones import Tombstone
from referral_bus.stages import Stage


def inbox(
    home: HomeOption,
    after: Annotated[
        int,
        typer.Option(
            "--after",
            min=0,
            max=2**63 - 1,
            metavar="CURSOR",
            help="Only what came later; takes over what is before it.",
        ),
    ] = 0,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="At most so many.")] = 100,
    counterpart: Annotated[
        str | None, typer.Option("--with", metavar="AGENCY", help="Referrals with this one.")
    ] = None,
    stage: Annotated[Stage | None, typer.Option("--stage", help="Referrals at this stage.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Referrals past a deadline.")] = False,
    local_ref: Annotated[str | None, typer.Option("--local-ref", help="Referrals of our case number.")] = None,
    json: JsonOption = False,
) -> None:
    """What came in, in the order in which it was stored; passing a cursor says that everything up to it was taken. With
    a filter: the referrals, on both sides, that fit it, the earliest deadline first."""
    desk = desk_of(home)
    if overdue or any(each is not None for each in (counterpart, stage, local_ref)):
        found = desk.search(counterpart=counterpart, stage=stage, overdue=overdue, local_ref=local_ref, most=most)
        _say_referrals(desk, found, json)
        return
    received = desk.received_after(after, most)
    cursor = received[-1].cursor if received else after
    if json:
        say_json({"cursor": cursor, "events": [received_document(each) for each in received]})
        return
    say_all(received_line(each, desk.settings.time_zone) for each in received)
    say(f"{len(received)} received; go on with --after {cursor}" if received else "nothing new")


def _say_referrals(desk: Desk, found: list[Stood], json: bool) -> None:
    now, zone = desk.clock(), desk.settings.time_zone
    if json:
        say_json([stood_document(each, now) for each in found])
    else:
        say_all([stood_line(each, now, zone) for each in found] or ["no referral fits"])


def _say_erased(desk: Desk, left: Tombstone, json: bool) -> None:
    if json:
        say_json(erasure_document(left, desk.believed))
    else:
        say(erasure_sentence(left, desk.clock(), desk.settings, desk.believed, hindrances_of(desk, left)))


def show(referral_id: ReferralArgument, home: HomeOption, json: JsonOption = False) -> None:
    """One referral: what protects the person, everything else that was sealed, and its history."""
    desk = desk_of(home)
    left = desk.erased(referral_id)
    if left is not None:
        _say_erased(desk, left, json)
        return
    case = with_own_service(desk, desk.shown(referral_id))
    if json:
        say_json(case_document(case))
    else:
        say_all(case_lines(case, desk.settings.time_zone, page_width()))


def why(referral_id: ReferralArgument, home: HomeOption, json: JsonOption = False) -> None:
    """One sentence: where it is, who must act, how long is left."""
    desk = desk_of(home)
    left = desk.erased(referral_id)
    if left is not None:
        _say_erased(desk, left, json)
        return
    case = with_own_service(desk, desk.case(referral_id))
    now = desk.clock()
    sentence = explain(case, desk.register, desk.settings.agency, now, desk.settings.time_zone)
    if json:
        standing = case.standing
        document = {"id": case.referral.key.referral_id, "stage": standing.stage, "actor": standing.actor}
        document |= {"send_failure": standing.send_failure, "own_service": case.own_service}
        document |= {"other_left": standing.other_left}
        say_json(document | {"due": standing.due, "overdue": standing.overdue(now), "sentence": sentence})
    else:
        say(sentence)


def add_to(app: typer.Typer) -> None:
    for command in (inbox, show, why):
        app.command()(command)
