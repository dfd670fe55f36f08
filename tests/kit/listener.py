"""An agency's endpoint on loopback that does with each call what a test says, down to the last byte."""

import datetime
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from socket import create_server, socket

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Talk = Callable[[socket], None]
"""What the endpoint does once it has read the call. The connection is closed afterwards."""


@dataclass
class Call:
    """One call as it came in."""

    start: str
    headers: dict[str, str]
    body: str


@dataclass
class Listener:
    """`talk` may be changed between calls."""

    port: int
    talk: Talk
    calls: list[Call] = field(default_factory=list)

    def serve(self, listening: socket, trust: ssl.SSLContext | None) -> None:
        while True:
            try:
                line, _ = listening.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=self._answer, args=(line, trust), daemon=True).start()

    def _answer(self, line: socket, trust: ssl.SSLContext | None) -> None:
        try:
            line = line if trust is None else trust.wrap_socket(line, server_side=True)
            with line:
                self.calls.append(_read_call(line))
                self.talk(line)
        except OSError:  # the caller has given up
            return


def _read_call(line: socket) -> Call:
    with line.makefile("rb") as incoming:
        start = incoming.readline().decode().strip()
        pairs = (each.decode().strip().split(": ", 1) for each in iter(incoming.readline, b"\r\n"))
        headers = {name.lower(): value for name, value in pairs}
        return Call(start, headers, incoming.read(int(headers.get("content-length", 0))).decode())


def saying(status: int, more: str = "", body: bytes = b"") -> Talk:
    answer = f"HTTP/1.1 {status} Synthetic\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body
    return lambda line: line.sendall(answer)


@contextmanager
def listening(talk: Talk, trust: ssl.SSLContext | None = None) -> Iterator[Listener]:
    with create_server(("127.0.0.1", 0)) as listening:
        made = Listener(listening.getsockname()[1], talk)
        threading.Thread(target=made.serve, args=(listening, trust), daemon=True).start()
        yield made
        listening.shutdown(2)


def self_signed(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server on 127.0.0.1, and for whoever trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "synthetic")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=pem.decode("ascii"))
