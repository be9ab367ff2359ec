"""Connections that never end, that say nothing, that do not read: each has a bound, and nobody else waits for it."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest

from streams.errors import ServerError
from streams.web import WebServer, listen
from tests.waiting import wait_until
from tests.web.serving import BIG, Served, application, read_all, read_answers, serving

GET = b"GET /end HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PART = b"GET /end HTTP/1.1\r\nHos"
HEAD_SECONDS = 1.0
#: What a busy machine may add.
GRACE_SECONDS = 15.0


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr("streams.web.protocol.HEAD_SECONDS", HEAD_SECONDS)
    with serving() as one:
        one.server.config.timeout_keep_alive = 1
        yield one


@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (b"", []),
        (b"\r\n", [b"400 Bad Request"]),
        (PART, [b"408 Request Timeout"]),
        (GET, [b"200 OK"]),  # at rest after it
        (GET + PART, [b"200 OK"]),
        (GET + GET + PART, [b"200 OK", b"200 OK"]),
    ],
)
def test_what_does_not_go_on_is_closed(served: Served, sent: bytes, answers: list[bytes]) -> None:
    with closing(served.connect()) as one:
        one.sendall(sent)
        found = read_all(one)
    assert re.findall(rb"HTTP/1.1 ([^\r]*)", found) == answers
    wait_until(lambda: served.open_connections == 0)


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /end HTTP/1.1\r\nX: ",
        b"POST /end HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
        b"POST /end HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n270F\r\n",
        GET + b"GET /end HTTP/1.1\r\nX: ",
    ],
    ids=["head", "body", "chunk", "second head"],
)
def test_a_byte_at_a_time_makes_no_bound_longer(served: Served, begun: bytes) -> None:
    with closing(served.connect()) as one:
        one.sendall(begun)
        began = time.monotonic()
        one.settimeout(0.02)
        open_still = True
        while open_still and time.monotonic() - began < HEAD_SECONDS + GRACE_SECONDS:
            try:
                one.sendall(b"x")
                open_still = one.recv(1 << 16) != b""
            except TimeoutError:
                continue
            except OSError:
                open_still = False
        assert not open_still
    wait_until(lambda: served.open_connections == 0)


def test_requests_in_a_row_are_answered_in_order_however_they_are_cut(served: Served) -> None:
    row = b"".join(b"GET /%d/end HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20))
    for size in (7, 64, len(row)):
        with closing(served.connect()) as one:
            for begin in range(0, len(row), size):
                one.sendall(row[begin : begin + size])
            found = read_answers(one, 20)
            assert [found.index(b"/%d/end" % number) for number in range(20)] == sorted(
                found.index(b"/%d/end" % number) for number in range(20)
            )
            one.sendall(LAST)
            assert b"connection: close" in read_all(one).lower()


def test_a_request_that_is_being_answered_has_all_its_time(served: Served) -> None:
    with closing(served.connect()) as one:
        one.sendall(b"GET /forever HTTP/1.1\r\nHost: a\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 2 * HEAD_SECONDS:
            assert one.recv(1 << 16)
        assert served.streams_open == 1
    wait_until(lambda: served.streams_open == served.open_connections == 0)


def test_who_does_not_take_what_was_answered_is_dropped_and_who_is_slow_is_not(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.web.protocol.TAKE_SECONDS", 0.5)
    with ExitStack() as stack:
        stuck = [stack.enter_context(closing(served.connect())) for _ in range(3)]
        for one, request in zip(
            stuck,
            (
                b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n",
                b"GET /big HTTP/1.0\r\n\r\n",
                b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n" * 50,
            ),
            strict=True,
        ):
            one.sendall(request)
        wait_until(lambda: served.open_connections == 0)
        monkeypatch.setattr("streams.web.protocol.TAKE_SECONDS", 2.0)  # looked at a few times while this one reads
        slow = stack.enter_context(closing(served.connect()))
        slow.sendall(b"GET /big HTTP/1.0\r\n\r\n")
        taken = 0
        while part := slow.recv(1 << 18):
            taken += len(part)
            time.sleep(0.1)
        assert taken > len(BIG)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that a test holds are held however busy the machine is, and whoever is refused has the time to read it."""
    monkeypatch.setattr("streams.web.protocol.HEAD_SECONDS", 300.0)
    monkeypatch.setattr("streams.web.protocol.REFUSED_SECONDS", 30.0)


@pytest.mark.usefixtures("patient")
def test_when_all_is_taken_one_client_hears_503_and_another_is_answered() -> None:
    with serving(connections_max=20) as served, ExitStack() as stack:
        held = [stack.enter_context(closing(served.connect())) for _ in range(20)]
        wait_until(lambda: served.open_connections == 20)
        for request in (LAST, PART, b""):
            answer = served.exchange(request)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert answer.endswith(b'try again in a few seconds"}')
        late = stack.enter_context(closing(served.connect()))
        assert late.recv(8) == b"HTTP/1.1"
        late.sendall(LAST)  # after it was refused: no reset that would take the answer away
        assert read_all(late).endswith(b'seconds"}')
        for _ in range(5):
            assert served.exchange(LAST, "127.0.0.2").startswith(b"HTTP/1.1 200 OK")
        assert read_all(held[0]) == b"", "the oldest of the greediest has gone"
        for one in held:
            one.close()
        wait_until(lambda: served.open_connections == 0)
        assert served.exchange(LAST).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.usefixtures("patient")
def test_a_stream_that_runs_is_no_place_for_another_client() -> None:
    with serving(connections_max=4) as served, ExitStack() as stack:
        for _ in range(4):
            one = stack.enter_context(closing(served.connect()))
            one.sendall(b"GET /forever HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: served.streams_open == 4)
        assert served.exchange(LAST, "127.0.0.2").startswith(b"HTTP/1.1 503")
        assert served.streams_open == 4


@pytest.mark.usefixtures("patient")
def test_two_thousand_half_open_connections() -> None:
    """More than there are places, refusals under way and connections that the kernel keeps, all at once."""
    with serving(connections_max=300) as served, ExitStack() as stack:
        for _ in range(2000):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", served.port))
        wait_until(lambda: served.open_connections == 300, 60)
        assert len(served.server.connections.refused) <= served.server.connections.refused_max
        assert served.exchange(LAST).startswith(b"HTTP/1.1 503")
        assert served.exchange(LAST, "127.0.0.2").startswith(b"HTTP/1.1 200 OK")


def test_too_few_descriptors_are_said_before_anything_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.web.server.descriptors_max", lambda: 100)
    with (
        listen("127.0.0.1", 0, "") as listening,
        pytest.raises(ServerError, match=r"may open 100 files .* needs 128 at least"),
    ):
        WebServer(application(None), listening, 1)  # type: ignore[arg-type]
