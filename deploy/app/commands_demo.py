"""`demo`: see it work."""

import typer


def demo() -> None:
    """A small federation on this machine: two stories and a hundred referrals, then the count."""
    from deploy.demo.run import run_demo  # its parts are needed by no other command

    raise typer.Exit(run_demo())


def add_to(app: typer.Typer) -> None:
    app.command()(demo)
