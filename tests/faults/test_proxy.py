"""The bad network is as bad as it says, or the runs behind it show nothing."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from deploy.kafka.plan import HOST, free_port
from tests.faults.proxy import DELAY_S, TRICKLE_BYTES, TRICKLE_S, Kind, Proxy, proxy
from tests.kit.waiting import PATIENCE_S

WORDS = bytes(range(256)) * 20


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield int(server.getsockname()[1])


def _serve(server: socket.socket) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_send_back, args=(server.accept()[0],), daemon=True).start()


def _send_back(connection: socket.socket) -> None:
    with connection, suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)


@pytest.fixture
def network(echo: int) -> Iterator[Proxy]:
    with proxy(free_port(), echo, random.Random(7)) as made:
        yield made


def connect(network: Proxy) -> socket.socket:
    return socket.create_connection((HOST, network.port), timeout=PATIENCE_S)


def ask(connection: socket.socket, words: bytes = WORDS) -> tuple[bytes, int]:
    """What comes back, and in how many pieces; as much as there is when the connection ends or falls silent."""
    connection.sendall(words)
    got, pieces = b"", 0
    with suppress(TimeoutError, ConnectionError):
        while len(got) < len(words) and (piece := connection.recv(65536)):
            got, pieces = got + piece, pieces + 1
    return got, pieces


@pytest.mark.parametrize("kind", [Kind.DELAY, Kind.SLICES, Kind.TRICKLE])
def test_a_slow_network_brings_everything(network: Proxy, kind: Kind) -> None:
    network.kind = kind
    with connect(network) as connection:
        began = time.monotonic()
        assert ask(connection)[0] == WORDS
        took = time.monotonic() - began
    at_least_s = {Kind.DELAY: 2 * DELAY_S, Kind.TRICKLE: len(WORDS) / TRICKLE_BYTES * TRICKLE_S}
    assert took > 0.7 * at_least_s.get(kind, 0.0)


def test_slices_do_not_come_together(network: Proxy) -> None:
    network.kind = Kind.SLICES
    with connect(network) as connection:
        assert ask(connection)[1] > 1


@pytest.mark.parametrize("kind", [Kind.RESETS, Kind.CUT])
def test_a_connection_that_breaks_brings_a_part_at_most(network: Proxy, kind: Kind) -> None:
    network.kind = kind
    whole, parts = 0, 0
    for _ in range(30):
        with suppress(ConnectionError), connect(network) as connection:
            got = ask(connection)[0]
            assert WORDS.startswith(got)
            whole, parts = whole + (got == WORDS), parts + (0 < len(got) < len(WORDS))
    assert 0 < whole < 30
    assert kind is Kind.RESETS or parts > 0


@pytest.mark.parametrize("kind", [Kind.BLACK_HOLE, Kind.HALF_OPEN])
def test_what_was_lost_of_a_connection_stays_lost(network: Proxy, kind: Kind) -> None:
    with connect(network) as before:
        assert ask(before)[0] == WORDS
        network.kind = kind
        before.settimeout(0.3)
        assert ask(before)[0] == b""
        network.kind = None
        assert ask(before)[0] == b""
        with connect(network) as after:
            assert ask(after)[0] == WORDS
        network.reset_all()
        with pytest.raises(ConnectionError):
            while True:
                before.sendall(WORDS)


def test_a_port_that_closes_at_once_ends_old_connections_too(network: Proxy) -> None:
    with connect(network) as before:
        assert ask(before)[0] == WORDS
        network.kind = Kind.CLOSED_AT_ONCE
        assert ask(before)[0] == b""
    with connect(network) as after, suppress(ConnectionError):
        assert ask(after)[0] == b""
