"""Options that several commands share."""

from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from deploy.app.agency_client import AgencyClient, open_client
from deploy.app.output import already_done, answer
from referral_bus.errors import Reason, Refused
from referral_bus.federation.register import Register
from referral_bus.federation.yaml_strict import MAX_BYTES
from referral_bus.files import trouble
from schemas.problems import problems
from schemas.times import Instant

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home", envvar="REFERRAL_BUS_HOME", help="The agency's home folder.", show_envvar=True, readable=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
AgainOption = Annotated[bool, typer.Option("--again", help="Do it again, though the same was done minutes ago.")]
ReferralArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The referral's id, or how it begins; or SENDER/ID, to say whose it is.")
]
RegisterArgument = Annotated[
    Path, typer.Argument(metavar="REGISTER", help="The register file, register.yaml.", readable=False)
]
SignaturesArgument = Annotated[
    Path, typer.Argument(metavar="SIGNATURES", help="The stewards' signatures over it.", readable=False)
]
WholeIdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The referral's whole id; or SENDER/ID with it, to say whose it is.")
]
KafkaOption = Annotated[str, typer.Option("--kafka", help="host:port of the brokers, several with commas.")]
Sha256Option = Annotated[
    str | None,
    typer.Option("--sha256", help="The register's SHA-256, as the stewards tell it; needed for the first one."),
]


def read_file(path: Path, argument: str = "REGISTER") -> bytes:
    """The content of a file, cut off after one byte more than the largest register. Raises `Refused` naming
    `argument`; the error does not quote what was typed."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Refused(Reason.FILE_UNREADABLE, "there is no such file", argument) from None
    except OSError as error:
        raise Refused(Reason.FILE_UNREADABLE, trouble(error, path, argument).advice, argument) from None


def answer_accepted(taken: Register, json: bool) -> None:
    """Tells that a register is in force from now on."""
    says = f"version {taken.version} of {taken.federation} accepted"
    with already_done(says):
        answer({"version": taken.version, "federation": taken.federation}, [says], json)


def client_of(home: Path) -> AgencyClient:
    return open_client(home)


def parse_time(text: str, option: str) -> datetime:
    """A time, by the rule that holds in a request file. Raises `Refused`, also for a time without its offset."""
    try:
        return TypeAdapter(Instant).validate_json(dumps(text))
    except ValidationError as error:
        naive = problems(error)[0].kind == "naive_time"
        reason = Reason.TIME_NAIVE if naive else Reason.VALUE_REFUSED
        raise Refused(reason, "give the time with its offset, as in 2026-11-23T19:00+05:00", option) from None
