"""`show`, `why`: one referral, where it stands."""

import typer

from deploy.app.case_view import case_lines
from deploy.app.desk import Desk
from deploy.app.erasures import erasure_document, erasure_sentence
from deploy.app.explain import why as explain
from deploy.app.layout import entries, page_width
from deploy.app.options import HomeOption, JsonOption, ReferralArgument, desk_of
from deploy.app.output import say_all, say_json
from deploy.app.sending_trouble import hindrances_of, with_own_service
from deploy.app.views import (
    case_document,
)
from referral_bus.ledger.tombstones import Tombstone


def _say_erased(desk: Desk, left: Tombstone, json: bool) -> None:
    if json:
        say_json(erasure_document(left, desk.believed))
    else:
        say_all(
            entries([erasure_sentence(left, desk.clock(), desk.settings, desk.believed, hindrances_of(desk, left))])
        )


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
        document |= {"due": standing.due, "due_for": standing.due_for}
        say_json(document | {"overdue": standing.overdue(now), "sentence": sentence})
    else:
        say_all(entries([sentence]))


def add_to(app: typer.Typer) -> None:
    for command in (show, why):
        app.command()(command)
