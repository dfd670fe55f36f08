"""Real homes of a small federation, and a post office in this process that carries records between them."""

import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consumers.agency.announcer import next_announcement
from consumers.agency.ingest import Ingest
from deploy.app.agency_client import AgencyClient, open_client
from deploy.demo.federation import SignedRegister, Terms, agency_key, example_template, make_federation
from deploy.provision.topics import wanted_topics
from producers.relay import Relay
from referral_bus.broker.memory import MemoryBroker
from referral_bus.broker.protocols import Reader
from referral_bus.clock import system_clock
from referral_bus.federation.register import parse_register
from referral_bus.home import accept_register, create_home, known_services, open_home
from referral_bus.logs import make_log
from referral_bus.metrics import ServiceMetrics
from referral_bus.settings import Settings
from tests.kit.bench import LogLines
from tests.kit.people import request

FEDERATION = "test-federation"
SENDER, RECIPIENT, OTHER = "family-women", "public-health", "public-education"
NOT_AGREED, RECEIVES_NONE = "justice", "unicef"  # OTHER has no agreement with the first; nobody has one with the second
DEAD_KAFKA = "127.0.0.1:1"

Stewards = dict[str, Ed25519PrivateKey]


@dataclass(frozen=True)
class Agency:
    """One agency's home folder, and what is in its ledger."""

    home: Path

    def set_to(self, **settings: str) -> None:
        """Adds settings as TOML."""
        with (self.home / "settings.toml").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table."""
        connection = sqlite3.connect(self.home / "ledger.sqlite")
        try:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608
        finally:
            connection.close()


def new_stewards() -> Stewards:
    return {f"steward {number}": Ed25519PrivateKey.generate() for number in (1, 2, 3)}


def signed_register(
    homes: Path,
    stewards: Stewards,
    version: int = 1,
    lasts_days: int = 300,
    federation: str = FEDERATION,
    topic_prefix: str = "referral",
    copies: int = 1,
) -> SignedRegister:
    """A register that lists the keys of these homes. `copies`: so many brokers keep each topic."""
    now = system_clock()
    private = {code: open_home(homes / code).keyring(now).signing for code in (SENDER, RECIPIENT, OTHER)}
    keys = {code: agency_key(federation, code, key) for code, key in private.items()}
    only = (SENDER, RECIPIENT, OTHER, NOT_AGREED, RECEIVES_NONE)
    began = now - timedelta(days=301)
    lasts = timedelta(days=301 + lasts_days)
    replicas = {"replication": copies, "min_insync": copies // 2 + 1}
    terms = Terms(federation, topic_prefix, began, version=version, lasts=lasts, only=only, **replicas)
    return make_federation(example_template(), keys, stewards, terms)


def make_homes(folder: Path, federation: str = FEDERATION, kafka: str = DEAD_KAFKA, announce_every_s: int = 60) -> None:
    for code in (SENDER, RECIPIENT, OTHER):
        settings = Settings(
            agency=code, federation=federation, kafka=kafka, announce_every_s=announce_every_s, http_port=0
        )
        create_home(folder / code, settings, system_clock())


def join(folder: Path, files: SignedRegister) -> None:
    register = parse_register(files.register, known_services())
    for code in (SENDER, RECIPIENT, OTHER):
        accept_register(open_home(folder / code), files.register, files.signatures, system_clock(), register.sha256)


@dataclass
class _Branch:
    client: AgencyClient
    relay: Relay
    ingest: Ingest
    reader: Reader


class Post:
    """The relay and the ingest of every home over one broker in memory, worked by hand."""

    def __init__(self, folder: Path) -> None:
        self._broker = MemoryBroker(system_clock)
        clients = [open_client(folder / code) for code in (SENDER, RECIPIENT, OTHER)]
        for plan in wanted_topics(clients[0].register):
            self._broker.create_topic(plan)
        self._branches = {client.settings.agency: self._branch(client) for client in clients}

    def _branch(self, client: AgencyClient) -> _Branch:
        log, metrics = make_log(LogLines()), ServiceMetrics()
        ledger, broker, keyring, clock = client.ledger, self._broker, client.keyring, client.clock
        relay = Relay(
            ledger, broker, lambda: client.register, keyring.signing, clock, uuid4, timedelta(seconds=30), metrics, log
        )
        ingest = Ingest(ledger, broker, lambda: client.register, keyring.find_sealing, clock, uuid4, metrics, log)
        reader = ingest.reader()
        ingest.assign(reader)
        now = clock()
        relay.announce(next_announcement(ledger, client.register, keyring.announced(now), now, "0.0.0"))
        return _Branch(client, relay, ingest, reader)

    def settle(self) -> None:
        for _ in range(6):
            for branch in self._branches.values():
                branch.relay.tick()
            for branch in self._branches.values():
                while batch := branch.reader.poll(0, 500):
                    branch.ingest.take(batch)

    def refer(self, need: str) -> UUID:
        """A referral from SENDER that RECIPIENT has stored."""
        client = self._branches[SENDER].client
        referral = client.publish([request(RECIPIENT, need=need)])[0].referral_id
        self.settle()
        return referral

    def close(self) -> None:
        for branch in self._branches.values():
            branch.relay.close()
            branch.reader.close()
            branch.client.close()
