"""What a person is told where another kind of server listens, or one that hangs: never to start one."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from streams import topics
from streams.broker import KafkaAddress
from streams.errors import ServerError
from streams.expose.probes import probe_kafka
from streams.live import LiveReader
from streams.live.connection import RedisAddress

ANOTHER_KIND = "another kind of server listens there: correct"
ENDS = "what listens there ends the connection"
SILENT = "it is slow, hangs, or cannot be reached from here, or another kind of server listens there"


def answering(words: bytes) -> Callable[[socket.socket], None]:
    def answer(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(words)
        time.sleep(15)

    return answer


#: What strangers do with a connection.
WEB = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
SHELL = answering(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
NOISE = answering(b"\x7f\xff\xff\xff" * 20)
SAYS_NOTHING = answering(b"")


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where somebody listens who does this with each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                threading.Thread(target=alone, args=(connection,), daemon=True).start()

        def alone(connection: socket.socket) -> None:
            with connection:
                try:
                    request.param(connection)
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def hangs_up(connection: socket.socket) -> None:
    connection.close()


@pytest.mark.parametrize(
    ("stranger", "advice"),
    [(WEB, ANOTHER_KIND), (SHELL, ANOTHER_KIND), (NOISE, ANOTHER_KIND), (hangs_up, ENDS), (SAYS_NOTHING, SILENT)],
    ids=["web", "shell", "noise", "hangs up", "says nothing"],
    indirect=["stranger"],
)
def test_what_is_no_redis_is_told(stranger: str, advice: str) -> None:
    with pytest.raises(ServerError) as caught:
        LiveReader(RedisAddress(f"redis://{stranger}/0", call_seconds_max=0.5), "x").snapshot()
    assert advice in str(caught.value)
    assert "redis_url" in str(caught.value)
    assert "vigie up" not in str(caught.value)


@pytest.mark.parametrize(
    ("stranger", "advice"),
    [(SHELL, ANOTHER_KIND), (NOISE, ANOTHER_KIND), (hangs_up, ENDS), (SAYS_NOTHING, SILENT)],
    ids=["shell", "noise", "hangs up", "says nothing"],
    indirect=["stranger"],
)
def test_what_is_no_kafka_is_told(stranger: str, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "BOOTSTRAP_SECONDS_MAX", 1.0)
    with pytest.raises(ServerError) as caught, topics.admin_client(KafkaAddress((stranger,))):
        pass
    assert advice in str(caught.value)
    assert "kafka_bootstrap_servers" in str(caught.value)
    assert "vigie up" not in str(caught.value)


@pytest.mark.parametrize(
    ("stranger", "advice"),
    [(WEB, ANOTHER_KIND), (SHELL, ANOTHER_KIND), (NOISE, ANOTHER_KIND), (SAYS_NOTHING, SILENT)],
    ids=["web", "shell", "noise", "says nothing"],
    indirect=["stranger"],
)
def test_what_is_no_kafka_is_not_up(stranger: str, advice: str) -> None:
    """`vigie status` and ent_kafka_up: an HTTP server on Kafka's port answers, and is none."""
    found = probe_kafka((stranger,), 0.5)
    assert not found.up
    assert advice in str(found)
