"""Where the service hands over what came in: the agency's Python handler, its webhook, or nowhere, when it pulls."""

import importlib
import ssl

from consumers.agency.handover import Endpoint, Handler, endpoint_of
from consumers.agency.webhook import WebhookEndpoint
from consumers.agency.webhook_secrets import valid_secrets
from deploy.app.desk import Desk
from referral_bus.errors import Reason, Refused


def load_endpoint(desk: Desk) -> Endpoint | None:
    """As the settings say; None where the agency takes nothing in, or pulls. Raises `Refused` where they cannot be
    followed."""
    settings = desk.settings
    if not settings.consumer:
        return None
    if settings.handler is not None and settings.webhook_url is not None:
        raise Refused(Reason.SETTINGS_INVALID, "set a handler or a webhook, not both", "webhook_url")
    if settings.handler is not None:
        return endpoint_of(_load_handler(desk, settings.handler))
    return None if settings.webhook_url is None else _webhook(desk, settings.webhook_url)


def _webhook(desk: Desk, url: str) -> Endpoint:
    keys = desk.home.keys
    if not valid_secrets(keys):
        raise Refused(Reason.HOME_INVALID, "make its secret first: referral-bus agency webhook-secret", "webhook_url")
    trust, timeout_s = ssl.create_default_context(), desk.settings.webhook_timeout_s
    return WebhookEndpoint(url, lambda: valid_secrets(keys), timeout_s, desk.clock, trust)


def _load_handler(desk: Desk, name: str) -> Handler:
    """The agency's own handler: `module:factory` of the settings, called once with the desk."""
    module, _, factory = name.partition(":")
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError):
        advice = "there is no such Python function, or a module that it needs"
        raise Refused(Reason.SETTINGS_INVALID, advice, "handler") from None
    made: Handler = make(desk)
    return made
