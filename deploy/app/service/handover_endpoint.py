"""Makes the endpoint to which the service hands events over: the agency's Python handler, its webhook, or none where
the agency reads events by cursor."""

import importlib
import importlib.util
import ssl
import traceback
from pathlib import Path

from consumers.agency.handover import Endpoint, Handler, endpoint_of
from consumers.agency.webhook import WebhookEndpoint
from consumers.agency.webhook_secrets import valid_secrets
from deploy.app.agency_client import AgencyClient
from referral_bus.errors import BusError, Reason, Refused


def load_endpoint(client: AgencyClient) -> Endpoint | None:
    """The endpoint of the settings; None where `consumer` is off, or the agency reads by cursor. Raises `Refused` where
    the settings contradict each other, or the handler cannot be loaded."""
    settings = client.settings
    if not settings.consumer:
        return None
    if settings.handler is not None and settings.webhook_url is not None:
        raise Refused(Reason.SETTINGS_INVALID, "set a handler or a webhook, not both", "webhook_url")
    if settings.handler is not None:
        return endpoint_of(_load_handler(client, settings.handler))
    return None if settings.webhook_url is None else _webhook(client, settings.webhook_url)


def _webhook(client: AgencyClient, url: str) -> Endpoint:
    keys = client.home.keys
    if not valid_secrets(keys):
        raise Refused(Reason.HOME_INVALID, "make its secret first: referral-bus agency webhook-secret", "webhook_url")
    trust, timeout_s = ssl.create_default_context(), client.settings.webhook_timeout_s
    return WebhookEndpoint(url, lambda: valid_secrets(keys), timeout_s, client.clock, trust)


def _load_handler(client: AgencyClient, name: str) -> Handler:
    """The agency's own handler. `name`: `module:factory` of the settings; the factory is called once with the client.
    An error in that code becomes `Refused` with its place there."""
    module, _, factory = name.partition(":")
    origin: str | None = None
    try:
        spec = importlib.util.find_spec(module)
        if spec is None:
            raise _not_loaded("there is no Python module of this name")
        origin = spec.origin
        make = getattr(importlib.import_module(module), factory, None)
        if not callable(make):
            raise _not_loaded("this module has no such function")
        made = make(client)
    except BusError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 # the agency's own code may raise anything
        raise _not_loaded(f"your handler fails to load: {_fault(error, origin)}") from None
    if not callable(made):
        raise _not_loaded("its function returns nothing that can be called with an event")
    handler: Handler = made
    return handler


def _not_loaded(why: str) -> Refused:
    return Refused(Reason.SETTINGS_INVALID, why, "handler")


def _fault(error: BaseException, origin: str | None) -> str:
    """The type of an error, and the line in the agency's own file. Not its message, which may quote a value."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{kind} in {Path(error.filename).name}, line {error.lineno}"
    places = [place for place in traceback.extract_tb(error.__traceback__) if not place.filename.startswith("<")]
    theirs = [place for place in places if place.filename == origin] or places[1:]
    return f"{kind} in {Path(theirs[-1].filename).name}, line {theirs[-1].lineno}" if theirs else kind
