"""Closes a socket that could not connect. The library leaves it to the garbage collector, one for every attempt while a
broker is away."""

from collections.abc import Sequence
from typing import Any

from kafka.net.inet import KafkaNetSocket

DIRECT = "direct://"
"""A proxy URL that stands for no proxy: the library chooses the class below by this scheme."""


class ClosingSocket(KafkaNetSocket):  # type: ignore[misc]  # the library has no types
    SCHEMES = ("direct",)

    async def connect(
        self, net: Any, addrinfo: Any, socket_options: Sequence[Any] = (), timeout_at: float | None = None
    ) -> Any:
        family, kind, protocol, _, address = addrinfo
        sock = self.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            for option in socket_options:
                sock.setsockopt(*option)
            return await self.sock_connect(net, sock, address, timeout_at=timeout_at)
        except BaseException:
            sock.close()
            raise
