"""Tells loopback addresses from others: records may travel without TLS to loopback only."""

import ipaddress

from referral_bus.errors import Reason, Refused

NOT_HERE = "Kafka is not on this machine, and the way is not protected; use one on this machine, until TLS is built"


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address or "localhost". Any other name counts as remote: resolving it could give any
    address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_elsewhere(addresses: str, path: str) -> None:
    """Raises `Refused` at `path` unless every one of `addresses` (host:port, several with commas) is on loopback."""
    if not all(is_loopback(address.strip().rpartition(":")[0]) for address in addresses.split(",")):
        raise Refused(Reason.NOT_LOOPBACK, NOT_HERE, path)
