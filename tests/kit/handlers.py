"""Handlers as an agency would write them, for services in this process and in others."""

import threading
from pathlib import Path

from deploy.agency import AgencyClient, Handler, Received


def note_down(client: AgencyClient) -> Handler:
    """Writes the id of what it is given to a file beside the home, a line each."""
    path = client.home.folder.with_suffix(".handed-over")

    def take(received: Received) -> None:
        with path.open("a", encoding="ascii") as file:
            file.write(f"{received.event_id}\n")

    return take


def fails_once(client: AgencyClient) -> Handler:
    """As if the agency's system were down at the first try."""
    mark = client.home.folder.with_suffix(".tried")
    take_later = note_down(client)

    def take(received: Received) -> None:
        if not mark.exists():
            mark.touch()
            raise ConnectionError(f"PLANTED-7731 {received.body and received.body.model_dump()}")
        take_later(received)

    return take


def handed_over(home: Path) -> list[str]:
    path = home.with_suffix(".handed-over")
    return path.read_text(encoding="ascii").splitlines() if path.exists() else []


def hangs(client: AgencyClient) -> Handler:
    """As if the agency's system never answered."""
    mark = client.home.folder.with_suffix(".hangs")

    def take(_: Received) -> None:
        mark.touch()
        threading.Event().wait()

    return take
