"""Asks a broker, in Kafka's own protocol, how many brokers serve.

A port that accepts connections is no proof: a restarted broker answers long before it serves.
"""

import socket
import struct

from deploy.kafka.plan import HOST

METADATA, VERSION, CORRELATION, NO_TOPICS = 3, 1, 7, 0


def serving_brokers(port: int, timeout_s: float = 2.0) -> int:
    """The number of brokers in the cluster by the metadata of the broker at `port`; 0 when that does not answer."""
    client = b"probe"
    request = struct.pack(">hhih5si", METADATA, VERSION, CORRELATION, len(client), client, NO_TOPICS)
    try:
        with socket.create_connection((HOST, port), timeout_s) as connection, connection.makefile("rb") as answer:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = answer.read(12)  # size, correlation id, number of brokers
    except OSError:
        return 0
    if len(head) < 12:
        return 0
    _, correlation, brokers = struct.unpack(">iii", head)
    return int(brokers) if correlation == CORRELATION else 0
