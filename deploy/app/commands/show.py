"""`show`, `why`: one referral in full, or the sentence that says where it is."""

import typer

from deploy.app.agency_client import AgencyClient
from deploy.app.commands.options import HomeOption, JsonOption, ReferralArgument, client_of
from deploy.app.output import say_all, say_json
from deploy.app.views.case_view import case_lines
from deploy.app.views.erasure_views import erasure_document, erasure_sentence
from deploy.app.views.event_views import (
    case_document,
)
from deploy.app.views.send_failure_views import hindrances_of, with_own_service
from deploy.app.views.text_layout import entries, page_width
from deploy.app.views.why import why as explain
from referral_bus.ledger.tombstones import Tombstone


def _say_erased(client: AgencyClient, left: Tombstone, json: bool) -> None:
    if json:
        say_json(erasure_document(left, client.believed))
    else:
        say_all(
            entries(
                [erasure_sentence(left, client.clock(), client.settings, client.believed, hindrances_of(client, left))]
            )
        )


def show(referral_id: ReferralArgument, home: HomeOption, json: JsonOption = False) -> None:
    """One referral: what protects the person, everything else that was sealed, and its history."""
    client = client_of(home)
    left = client.erased(referral_id)
    if left is not None:
        _say_erased(client, left, json)
        return
    case = with_own_service(client, client.shown(referral_id))
    if json:
        say_json(case_document(case))
    else:
        say_all(case_lines(case, client.settings.time_zone, page_width()))


def why(referral_id: ReferralArgument, home: HomeOption, json: JsonOption = False) -> None:
    """One sentence: where the referral is, who must act, how long is left."""
    client = client_of(home)
    left = client.erased(referral_id)
    if left is not None:
        _say_erased(client, left, json)
        return
    case = with_own_service(client, client.case(referral_id))
    now = client.clock()
    sentence = explain(case, client.register, client.settings.agency, now, client.settings.time_zone)
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
