"""`demo`: see it work."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.app.output import say


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, and say what to look at.")] = False,
    stop: Annotated[Path | None, typer.Option("--stop", metavar="FOLDER", help="End one that was kept.")] = None,
) -> None:
    """A federation on this machine: stories, then some hundred referrals, then the count."""
    from deploy.demo.run import run_demo
    from deploy.demo.world import tear_down

    if stop is not None:
        tear_down(stop)
        say("everything is stopped")
        return
    raise typer.Exit(run_demo(keep))


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
