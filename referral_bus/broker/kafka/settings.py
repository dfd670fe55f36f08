"""Kafka's addresses, our user there, and the protection of the connection. Values only; no function here connects."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from referral_bus.broker.loopback import NOT_HERE, is_loopback
from referral_bus.errors import Reason, Refused, Unreachable

SCRAM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Security:
    """TLS with a SCRAM password, or PLAINTEXT, which is allowed on this machine only: it shows the routing and time of
    every record to all hosts on the way. TLS always checks the server's certificate and name."""

    protocol: Literal["PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ca_file: Path | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        given = (self.ca_file, self.username, self.password)
        if self.protocol == "SASL_SSL" and not all(given):
            raise Refused(Reason.SETTINGS_INVALID, "SASL_SSL needs a CA file, a user name and a password.", "kafka")
        if self.protocol == "PLAINTEXT" and any(given):
            raise Refused(Reason.SETTINGS_INVALID, "PLAINTEXT takes no CA file, user name or password.", "kafka")


@dataclass(frozen=True, slots=True)
class Connection:
    """`bootstrap` is "host:port", or several with commas between. Raises `Refused` for a malformed address, and for
    PLAINTEXT to any address but a loopback one."""

    bootstrap: str
    client_id: str
    security: Security = Security()

    def __post_init__(self) -> None:
        for address in self.addresses:
            host, _, port = address.rpartition(":")
            if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port[:6]) <= 65_535:
                raise Refused(
                    Reason.SETTINGS_INVALID,
                    'Write each Kafka address as "host:port", the port from 1 to 65535.',
                    "kafka",
                )
            self.refuse_unprotected(host)

    @property
    def addresses(self) -> list[str]:
        return [address.strip() for address in self.bootstrap.split(",")]

    def refuse_unprotected(self, host: str) -> None:
        """Raises `Refused` unless the connection to `host` is protected or on loopback. Callers also check the hosts
        that Kafka names, since a client connects to those next."""
        if self.security.protocol == "PLAINTEXT" and not is_loopback(host):
            raise Refused(Reason.NOT_LOOPBACK, NOT_HERE, "kafka")

    def options(self) -> Mapping[str, Any]:
        """The options of a client of the library. Raises `Unreachable` when the CA file cannot be read."""
        common = {"bootstrap_servers": self.addresses, "client_id": self.client_id}
        if self.security.protocol == "PLAINTEXT":
            return {**common, "security_protocol": "PLAINTEXT"}
        return {
            **common,
            "security_protocol": "SASL_SSL",
            "ssl_context": _trusting(self.security.ca_file),
            "sasl_mechanism": SCRAM,
            "sasl_plain_username": self.security.username,
            "sasl_plain_password": self.security.password,
        }


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A TLS context that trusts this CA alone, none of the machine's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        advice = "The Kafka CA file cannot be read, or holds no PEM certificate."
        raise Unreachable(Reason.FILE_UNREADABLE, advice, "kafka.ca_file") from error
    return context
