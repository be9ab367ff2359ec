"""One record batch to Kafka as it is, byte for byte: what no producer's library would send."""

import socket
import struct

PRODUCE, VERSION = 0, 7


def produce(server: str, topic: str, partition: int, batch: bytes) -> int:
    """Send a batch to the only broker of a cluster; return the offset that it got. Raises `AssertionError` with Kafka's error code."""
    host, _, port = server.rpartition(":")
    name = topic.encode()
    body = struct.pack(">hhih4s", PRODUCE, VERSION, 1, 4, b"test")
    body += struct.pack(">hhii", -1, -1, 30_000, 1)  # no transaction, all replicas, milliseconds, one topic
    body += struct.pack(f">h{len(name)}siii", len(name), name, 1, partition, len(batch)) + batch
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        answer = _read(connection, struct.unpack(">i", _read(connection, 4))[0])
    _partition, error, offset = struct.unpack_from(">ihq", answer, 4 + 4 + 2 + len(name) + 4)
    assert error == 0, f"Kafka refuses the batch with error {error}"
    return int(offset)


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        some = connection.recv(size - len(found))
        if not some:
            raise ConnectionError("Kafka closed the connection")
        found += some
    return found
