"""The SDK's side of HTTPS against servers that misbehave as a collector never does: cut off, silent, something else."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streams.addresses import CollectorAddress
from streams.errors import ServerError
from streams.publish import PublisherLimits, Undelivered, VisitPublisher

#: What a scripted server does with a request: lines -> status and body; None: the connection breaks before the answer.
Script = Callable[[list[str]], tuple[int, bytes] | None]
LIMITS = PublisherLimits(delivery_seconds_max=20, connect_seconds_max=2)


def accepted(lines: list[str], **refused: str) -> tuple[int, bytes]:
    told = [{"line": int(line[1:]), "reason": reason} for line, reason in refused.items()]
    return 200, json.dumps({"accepted": len(lines) - len(told), "refused_lines": told}).encode()


@contextmanager
def serving(script: Script) -> Iterator[CollectorAddress]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200, b"{}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            found = script((gzip.decompress(body) if packed else body).decode().split("\n"))
            if found is None:
                self.close_connection = True
                return
            self._answer(*found)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield CollectorAddress(f"http://127.0.0.1:{server.server_port}", "vigie_a_b")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_answer_that_got_lost_is_asked_for_with_the_same_events() -> None:
    seen: list[list[str]] = []

    def script(lines: list[str]) -> tuple[int, bytes] | None:
        seen.append(lines)
        return None if len(seen) < 3 else accepted(lines)

    with serving(script) as address, VisitPublisher(address, limits=LIMITS) as publisher:
        for number in range(20):
            publisher.send_raw(str(number).encode(), None)
        assert publisher.flush(20) == 0
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]
    assert (publisher.delivered, publisher.failed) == (20, 0)
    assert publisher.deliveries().resent == 40  # twice, and the collector may have taken all of them each time


def test_a_collector_that_takes_little_gets_little() -> None:
    sizes: list[int] = []

    def script(lines: list[str]) -> tuple[int, bytes]:
        sizes.append(len(lines))
        if "huge" in lines or len(lines) > 60:
            return 413, b'{"error":"send fewer"}'
        return accepted(lines)

    lost: list[Undelivered] = []
    with serving(script) as address:
        publisher = VisitPublisher(address, on_failed=lost.append, limits=LIMITS)
        for number in range(400):
            publisher.send_raw(b"huge" if number == 77 else str(number).encode(), None, number)
        found = publisher.close(20)
    assert (found.delivered, found.failed) == (399, 1)
    assert [(each.tag, each.because_of_event) for each in lost] == [(77, True)]
    assert max(sizes[len(sizes) // 2 :]) <= 128


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>welcome</html>"),
        (200, b'{"accepted":1,"refused_lines":[]}'),  # of two
        (200, b'{"accepted":2}'),
        (302, b""),
        (404, b"nothing here"),
        (500, b"Internal Server Error"),
    ],
)
def test_what_is_no_collector_is_not_believed(status: int, body: bytes) -> None:
    limits = PublisherLimits(delivery_seconds_max=2.5, connect_seconds_max=2)
    lost: list[Undelivered] = []
    with serving(lambda _lines: (status, body)) as address:
        publisher = VisitPublisher(address, on_failed=lost.append, limits=limits)
        for number in range(2):
            publisher.send_raw(b"{}", None, number)
        assert publisher.flush(20) == 0
        assert publisher.health().problem is not None or lost
        found = publisher.close(1)
    assert (found.delivered, found.failed) == (0, 2)
    assert {(each.reason, each.because_of_event) for each in lost} == {
        ("the collector did not confirm it within 2.5 s", False)
    }


def test_a_collector_is_reached_before_an_event_is_lost() -> None:
    with pytest.raises(ServerError, match="is not reached"):
        VisitPublisher("http://127.0.0.1:9", token="vigie_a_b").connect()
