"""`agency` and the agency's side of `register`: set up a home, run its service, take a register."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.app.commands.options import HomeOption, JsonOption, client_of
from deploy.app.output import already_done, answer, say, say_all, say_json
from deploy.app.service.foreign_words import only_our_words
from deploy.app.service.service_status import read_status
from referral_bus.clock import system_clock
from referral_bus.federation.possession import prove_possession
from referral_bus.home import create_home, open_home
from referral_bus.logs import make_log
from referral_bus.settings import new_settings

agency = typer.Typer(help="An agency's home folder and its service.", no_args_is_help=True, rich_markup_mode=None)


@agency.command("init")
def init(
    home: HomeOption,
    code: Annotated[str, typer.Option("--agency", help="The agency's code in the register.")],
    federation: Annotated[str, typer.Option("--federation", help="The federation's id.")],
    kafka: Annotated[str, typer.Option("--kafka", help="host:port of the brokers, several with commas.")],
    again: Annotated[
        bool, typer.Option("--again", help="This agency had a home before, and it is lost with its keys.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make a home folder: keys, settings, an empty ledger."""
    create_home(home, new_settings(code, federation, kafka), system_clock(), again)
    with already_done("the home is made; `referral-bus agency key` shows its key"):
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
    from deploy.app.service.agency_service import run_service
    from deploy.app.service.shutdown import STUCK
    from referral_bus.broker.kafka import KafkaBroker, Unpacking

    client = client_of(home)
    code = client.settings.agency

    def connect(kafka: str) -> KafkaBroker:
        return KafkaBroker(kafka, f"referral-bus-{code}", unpacking=Unpacking(client.home.unpacking))

    with only_our_words(lambda stream: make_log(stream, agency=code)) as log:
        finished = run_service(client, connect, log)
    if not finished:
        os._exit(STUCK)  # a thread hangs in a library or a handler; what was accepted is in the ledger


@agency.command("status")
def status(home: HomeOption, json: JsonOption = False) -> None:
    """Whether the service runs and has what it needs."""
    from deploy.app.service.time_witnesses import time_witnesses, witnesses_document, witnesses_lines
    from deploy.app.views.send_failure_views import cannot_send, failing_document, failing_line

    found = read_status(open_home(home))
    client = client_of(home)
    trouble, witnesses = cannot_send(client), time_witnesses(client)
    if json:
        document: dict[str, Any] = {
            "running": found.running,
            "ready": found.ready,
            "http_port": found.http_port,
            "parts": found.parts,
        }
        document |= {"cannot_send": [failing_document(each) for each in trouble]} | witnesses_document(witnesses)
        say_json(document)
    elif not found.running:
        say("not running; start it with: referral-bus agency run")
    else:
        lacking = [name for name, well in found.parts.items() if not well] or ["the health port"]
        say("running and ready" if found.ready else f"running, not ready: {', '.join(lacking)}")
    if not json:
        say_all([*map(failing_line, trouble), *witnesses_lines(witnesses)])
    raise typer.Exit(0 if found.ready else 3)


@agency.command("backup")
def backup(
    home: HomeOption,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup; a new file.")],
    json: JsonOption = False,
) -> None:
    """Copy the ledger into one file, whole and consistent; the service may go on. Keys and the record of what was
    erased are not in it: they stay in the home folder."""
    from deploy.app.backups import back_up

    client = client_of(home)
    back_up(client, file)
    says = "backed up; keep this file on another disk. Without keys/at-rest.key of the home folder it opens nothing"
    with already_done("the backup is whole"):
        answer({"backed_up": True}, [says], json)


@agency.command("restored")
def restored(
    home: HomeOption,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="Put this backup in place first.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Continue after a backup of the ledger was put back: erase again what was erased since, and make the other
    agencies send again what the ledger has lost. The service must not run."""
    from deploy.app.backups import go_on_after_restore

    done = go_on_after_restore(client_of(home), source)
    says = f"goes on as incarnation {done.incarnation}; {done.erased} erased referrals stay erased"
    with already_done(says):
        then = "start the service; the other agencies send again what this ledger has lost"
        answer({"incarnation": done.incarnation, "erased": done.erased}, [says, then], json)


@agency.command("webhook-secret")
def webhook_secret(
    home: HomeOption,
    finish: Annotated[
        bool, typer.Option("--finish", help="End a rotation: only the newer secret stays valid.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make the secret with which webhook calls are signed, and show it, once. Called again it begins a rotation: every
    call is signed with both secrets until --finish. The running service needs no restart."""
    from consumers.agency.webhook_secrets import finish_rotation, new_secret, shown

    keys = open_home(home).keys
    if finish:
        finish_rotation(keys)
    if finish:
        finished = "calls are signed with the newer secret alone"
        with already_done(finished):
            answer({"secret": None}, [finished], json)
        return
    secret = shown(new_secret(keys))
    with already_done("a secret is made and was not shown; make another one, and end the rotation with --finish"):
        then = "Give it to your endpoint; it is not shown again, and stands in the home folder under keys."
        answer({"secret": secret}, [secret, then], json)


def add_to(app: typer.Typer) -> None:
    app.add_typer(agency, name="agency")
