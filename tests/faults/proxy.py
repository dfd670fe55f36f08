"""A bad network between the services and Kafka, of eight kinds. What was lost of a connection once is lost for good."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.kafka.plan import HOST
from tests.kit.waiting import PATIENCE_S

DELAY_S = 0.1
TRICKLE_BYTES, TRICKLE_S = 1024, 0.02
"""About 50 kB a second."""

UNLUCKY = 0.1
"""How likely a piece of data meets with a reset or a cut."""

AT_ONCE = 16 * 1024
RESET = struct.pack("ii", 1, 0)


class Kind(StrEnum):
    """`HALF_OPEN`: Kafka hears what it is sent, and its answers get lost."""

    DELAY = "delay"
    SLICES = "one-byte slices"
    TRICKLE = "trickle"
    RESETS = "resets"
    CUT = "cut in the middle"
    BLACK_HOLE = "black hole"
    HALF_OPEN = "half open"
    CLOSED_AT_ONCE = "closed at once"


@dataclass(eq=False, slots=True)
class _Link:
    """A client's connection and the one behind it; to which of the two nothing gets through any more."""

    client: asyncio.StreamWriter
    kafka: asyncio.StreamWriter
    deaf: set[asyncio.StreamWriter] = field(default_factory=set)

    def close(self) -> None:
        for end in (self.client, self.kafka):
            end.close()

    def reset(self) -> None:
        for end in (self.client, self.kafka):
            if not end.is_closing():
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.transport.abort()


class Proxy:
    """Listens on `port`. `kind` may be changed at any time, from any thread; None lets everything through."""

    def __init__(self, port: int, kafka_port: int, chance: random.Random) -> None:
        self.port = port
        self.kind: Kind | None = None
        self._kafka_port = kafka_port
        self._chance = chance
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()

    def reset_all(self) -> None:
        """So that nobody has to find out by waiting which connections are lost."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def run(self, listening: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen(listening))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _listen(self, listening: threading.Event) -> None:
        self._ended = asyncio.Event()
        async with await asyncio.start_server(self._serve, HOST, self.port):
            listening.set()
            await self._ended.wait()
            self._reset_all()

    def _reset_all(self) -> None:
        for link in self._links:
            link.reset()

    async def _serve(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.kind is Kind.CLOSED_AT_ONCE:
            client.close()
            return
        from_kafka, kafka = await asyncio.open_connection(HOST, self._kafka_port)
        link = _Link(client, kafka)
        self._links.add(link)
        ways = {
            asyncio.ensure_future(self._carry(from_client, kafka, link)),
            asyncio.ensure_future(self._carry(from_kafka, client, link)),
        }
        _, unfinished = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in unfinished:
            way.cancel()
        self._links.discard(link)
        link.close()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, link: _Link) -> None:
        try:
            while (data := await source.read(AT_ONCE)) and self._survives(data, target, link):
                if target not in link.deaf:
                    await self._write(data, target)
        except ConnectionError:
            return

    def _survives(self, data: bytes, target: asyncio.StreamWriter, link: _Link) -> bool:
        """What the kind of network does to a connection as a whole; False when it has ended."""
        unlucky = self._chance.random() < UNLUCKY
        if self.kind is Kind.BLACK_HOLE:
            link.deaf |= {link.client, link.kafka}
        elif self.kind is Kind.HALF_OPEN:
            link.deaf.add(link.client)
        elif self.kind is Kind.RESETS and unlucky:
            link.reset()
            return False
        elif self.kind is Kind.CUT and unlucky:
            target.write(data[: self._chance.randrange(len(data))])
            return False
        return self.kind is not Kind.CLOSED_AT_ONCE

    async def _write(self, data: bytes, target: asyncio.StreamWriter) -> None:
        if self.kind is Kind.DELAY:
            await asyncio.sleep(DELAY_S)
        step = 1 if self.kind is Kind.SLICES else TRICKLE_BYTES if self.kind is Kind.TRICKLE else len(data)
        for start in range(0, len(data), step):
            target.write(data[start : start + step])
            await target.drain()
            if self.kind is Kind.TRICKLE:
                await asyncio.sleep(TRICKLE_S)


@contextmanager
def proxy(port: int, kafka_port: int, chance: random.Random) -> Iterator[Proxy]:
    """Listening when it is given."""
    made, listening = Proxy(port, kafka_port, chance), threading.Event()
    thread = threading.Thread(target=made.run, args=(listening,), name="proxy", daemon=True)
    thread.start()
    assert listening.wait(PATIENCE_S)
    try:
        yield made
    finally:
        made.stop()
        thread.join()
