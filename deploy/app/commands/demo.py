"""`demo`: runs the demonstration."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.app.output import say


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave it running, and print commands to look at it.")] = False,
    stop: Annotated[Path | None, typer.Option("--stop", metavar="FOLDER", help="End one kept in this folder.")] = None,
) -> None:
    """Run a federation on this machine: stories, then some hundred referrals, then a comparison of all ledgers."""
    from deploy.demo.run import run_demo
    from deploy.demo.world import tear_down

    if stop is not None:
        tear_down(stop)
        say("everything is stopped")
        return
    raise typer.Exit(run_demo(keep))


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
