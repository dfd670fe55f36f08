"""Closes what cannot connect. The library leaves each refused socket to the garbage collector, one for every try while
a broker is away."""

from collections.abc import Sequence
from typing import Any

from kafka.net.inet import KafkaNetSocket

DIRECT = "direct://"
"""No proxy: the library chooses the class below by this word."""


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
