"""Which addresses are this machine's: only there records may travel in the clear."""

import ipaddress

from referral_bus.errors import Reason, Refused

NOT_HERE = "Kafka is not on this machine, and the way is not protected; use one on this machine, until TLS is built"


def is_loopback(host: str) -> bool:
    """Only what says so by itself: a name would have to be looked up, and the answer could be anything."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_elsewhere(addresses: str, path: str) -> None:
    """`addresses` is host:port, several with commas. Raises `Refused` unless each is this machine's."""
    if not all(is_loopback(address.strip().rpartition(":")[0]) for address in addresses.split(",")):
        raise Refused(Reason.NOT_LOOPBACK, NOT_HERE, path)
