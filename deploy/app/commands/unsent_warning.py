"""Warns where what a command has just written cannot be sent: our own service must run and reach Kafka."""

import sys
from typing import Any

from deploy.app.agency_client import AgencyClient
from deploy.app.output import say_error
from deploy.app.service.service_status import own_service
from deploy.app.views.why import CUT_OFF, STOPPED
from referral_bus.stages import OwnService

_WARNINGS = {OwnService.STOPPED: STOPPED, OwnService.CUT_OFF: CUT_OFF}


def warn_if_nothing_leaves(client: AgencyClient, json: bool = False) -> None:
    """Prints the warning for a person; with --json a program reads `leaving_document`. First flushes the answer: where
    that fails, the failure is printed and no warning."""
    sys.stdout.flush()
    warning = None if json else _WARNINGS.get(own_service(client.home))
    if warning is not None:
        say_error(f"warning: {warning}")


def leaving_document(client: AgencyClient) -> dict[str, Any]:
    return {"own_service": own_service(client.home)}
