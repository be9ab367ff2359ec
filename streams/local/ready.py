"""Is a server ready? One quick look each, which never raises."""

from __future__ import annotations

import http.client
import socket
import struct

_SECONDS_MAX = 1.0
LOOPBACK = "127.0.0.1"
#: ApiVersions, version 0, correlation id 1, no client id: Kafka answers it as soon as the broker takes requests.
_API_VERSIONS = struct.pack(">hhih", 18, 0, 1, -1)


def kafka_answers(port: int) -> bool:
    """Whether the broker on this port takes requests: it listens earlier than that."""
    answer = _exchange(port, struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS, 10)
    return len(answer) == 10 and struct.unpack(">ih", answer[4:10]) == (1, 0)


def redis_answers(port: int) -> bool:
    """Whether Redis has loaded its data and answers."""
    return _exchange(port, b"PING\r\n", 5) == b"+PONG"


def http_ok(port: int, path: str, host: str = LOOPBACK) -> bool:
    """Whether a GET is answered with status 200."""
    connection = http.client.HTTPConnection(reached(host), port, timeout=_SECONDS_MAX)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def reached(host: str) -> str:
    """Where a server is found that listens on an address; "every address" is none to connect to."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)


def _exchange(port: int, request: bytes, length: int) -> bytes:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS_MAX) as connection:
            connection.sendall(request)
            answer = b""
            while len(answer) < length:
                part = connection.recv(length - len(answer))
                if not part:
                    break
                answer += part
            return answer
    except OSError:
        return b""
