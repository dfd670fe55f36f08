"""`agency` and the agency's side of `register`: set up a home, run its service, take a register."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from deploy.app.options import HomeOption, JsonOption, desk_of
from deploy.app.output import say, say_json
from deploy.app.status import read_status
from referral_bus.clock import system_clock
from referral_bus.errors import Reason, Refused
from referral_bus.federation.possession import prove_possession
from referral_bus.home import create_home, open_home
from referral_bus.logs import make_log
from referral_bus.settings import Settings
from schemas.problems import problems

agency = typer.Typer(help="An agency's home folder and its service.", no_args_is_help=True, rich_markup_mode=None)


@agency.command("init")
def init(
    home: HomeOption,
    code: Annotated[str, typer.Option("--agency", help="The agency's code in the register.")],
    federation: Annotated[str, typer.Option("--federation", help="The federation's id.")],
    kafka: Annotated[str, typer.Option("--kafka", help="host:port of the brokers, several with commas.")],
    json: JsonOption = False,
) -> None:
    """Make a home folder: keys, settings, an empty ledger."""
    try:
        settings = Settings(agency=code, federation=federation, kafka=kafka)
    except ValidationError as error:
        field = problems(error)[0].path
        raise Refused(Reason.SETTINGS_INVALID, "this is not of the form it must have", f"--{field}") from None
    create_home(home, settings, system_clock())
    _say_key(home, json)


@agency.command("key")
def key(home: HomeOption, json: JsonOption = False) -> None:
    """The public signing key and the proof that the agency has its private half, for the register's stewards."""
    _say_key(home, json)


def _say_key(home: Path, json: bool) -> None:
    opened = open_home(home)
    settings = opened.settings()
    keyring = opened.keyring(system_clock())
    document = {
        "agency": settings.agency,
        "public_key": keyring.signing_public.hex(),
        "proof": prove_possession(settings.federation, settings.agency, keyring.signing),
    }
    if json:
        say_json(document)
        return
    say(f"home of {settings.agency} in the federation {settings.federation}")
    say("Give this to the stewards for the register:")
    say(f"  public_key: {document['public_key']}")
    say(f"  proof: {document['proof']}")
    say("Then take the register they have signed: referral-bus register accept")


@agency.command("run")
def run(home: HomeOption) -> None:
    """Run the agency's service until SIGTERM or Ctrl-C. Logs are JSON lines on standard error."""
    from deploy.app.service import run_service
    from referral_bus.broker.kafka import KafkaBroker

    desk = desk_of(home)
    log = make_log(sys.stderr, agency=desk.settings.agency)
    finished = run_service(desk, lambda kafka: KafkaBroker(kafka, f"referral-bus-{desk.settings.agency}"), log)
    sys.stderr.flush()
    if not finished:
        os._exit(1)  # a thread is stuck in a library; what is accepted is in the ledger


@agency.command("status")
def status(home: HomeOption, json: JsonOption = False) -> None:
    """Whether the service runs and has what it needs."""
    found = read_status(open_home(home))
    if json:
        say_json({"running": found.running, "ready": found.ready, "http_port": found.http_port, "parts": found.parts})
    elif not found.running:
        say("not running; start it with: referral-bus agency run")
    else:
        lacking = [name for name, well in found.parts.items() if not well] or ["the health port"]
        say("running and ready" if found.ready else f"running, not ready: {', '.join(lacking)}")
    raise typer.Exit(0 if found.ready else 3)


def add_to(app: typer.Typer) -> None:
    app.add_typer(agency, name="agency")
