"""The operators' side of the demonstration: a flow monitor that reads all topics and can open no sealed content."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from consumers.monitor.home import MonitorHome, accept_register, create_monitor_home
from consumers.monitor.queries import FlowRow, flow_table
from consumers.monitor.settings import MonitorSettings
from deploy.demo.federation import SignedRegister
from referral_bus.clock import system_clock
from referral_bus.federation.register import Register


def make_monitor(
    folder: Path, federation: str, bootstrap: str, files: SignedRegister, register: Register
) -> MonitorHome:
    """A home for the monitor, with the demonstration's register."""
    home = create_monitor_home(folder, MonitorSettings(federation=federation, kafka=bootstrap, http_port=0))
    accept_register(home, files.register, files.signatures, system_clock(), register.sha256)
    return home


def flows(home: MonitorHome) -> list[FlowRow]:
    """What the monitor has counted, for each pair of agencies."""
    now = system_clock()
    store = home.open_store(home.settings().federation, now)
    try:
        with store.read() as tx:
            return flow_table(tx, now)
    finally:
        store.close()


def draw_flows(rows: list[FlowRow]) -> None:
    """Draws the operators' table: how many referrals each agency sent to which, and what became of them. It names no
    person, no service and no reason."""
    table = Table("from", "to", title="What the flow monitor saw", title_justify="left")
    for name in ("referrals", "stored", "refused", "answered", "closed", "overdue"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = (row.referrals, row.stored, row.refused, row.answered, row.closed, row.overdue)
        table.add_row(row.sender, row.recipient, *(str(count) for count in counts))
    Console(width=110).print(table)


def totals(rows: list[FlowRow]) -> tuple[int, int]:
    """The numbers of all referrals and of closed ones, over all pairs of agencies."""
    return sum(row.referrals for row in rows), sum(row.closed for row in rows)
