"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.app.desk import Desk, open_desk

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="REFERRAL_BUS_HOME", help="The agency's home folder.", show_envvar=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
ReferralArgument = Annotated[str, typer.Argument(metavar="ID", help="The referral's id, or how it begins.")]


def desk_of(home: Path) -> Desk:
    return open_desk(home)
