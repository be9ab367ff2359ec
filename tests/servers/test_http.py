"""A real observer over HTTP: every route keeps the rules of all answers; strangers who attack it stop neither it nor others."""

import gzip
import http.client
import resource
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.live import AlertStore, ArchiveReader
from streams.live.connection import RedisAddress
from tests.servers.conftest import RedisServer
from tests.servers.observers import Filler, Observer, Place, events, now_minute, observing, observing_process
from tests.waiting import wait_until

pytestmark = pytest.mark.servers

DESCRIPTORS = 1024
HALF_OPEN = 1015
PART = b"GET / HTTP/1.1\r\nHost: a\r\nX-Part: "


@pytest.fixture(scope="module")
def observer(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observer]:
    """A running observer."""
    with observing(
        Place(redis_server.url, f"test.{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("observed"))
    ) as one:
        wait_until(lambda: one.get("/readyz")[0] == 200)
        yield one


def test_every_route_answers_head_as_get_and_is_neither_sniffed_nor_stored(observer: Observer) -> None:
    schema = observer.json("/openapi.json")[1]
    paths = [path for path in schema["paths"] if "{" not in path]
    others = ["/", "/metrics", "/openapi.json", "/static/page.css", "/runbooks/", "/runbooks/EntSurge", "/page/stream"]
    for path in [*paths, *others, "/nothing", "/api/v1/minutes?by=town", "/static/nothing", "/page/stream?region=x"]:
        got, head = asked(observer, "GET", path), asked(observer, "HEAD", path)
        assert head.keys() == got.keys(), path
        volatile = {"date", "content-length"} if path in ("/metrics", "/api/v1/status", "/readyz") else {"date"}
        assert {k: v for k, v in head.items() if k not in volatile} == {
            k: v for k, v in got.items() if k not in volatile
        }
        assert got["x-content-type-options"] == "nosniff", path
        assert got["cache-control"] == (
            "no-cache"
            if (got["status"] == 200 and path.startswith(("/static", "/runbooks"))) or path == "/"
            else "no-store"
        )
        if path not in ("/", *others, "/static/nothing"):
            refused = asked(observer, "DELETE", path.partition("?")[0])
            assert (refused["status"], refused.get("allow")) in [(405, "GET, HEAD"), (404, None)]


def asked(observer: Observer, method: str, path: str) -> dict[str, str | int]:
    """Status and headers of one answer, whose body must be empty after HEAD."""
    connection = http.client.HTTPConnection("127.0.0.1", observer.port, timeout=60)
    with closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        if method == "HEAD":
            assert answer.read() == b""
        return {"status": answer.status} | {name.lower(): value for name, value in answer.getheaders()}


def test_metrics_are_gzipped_where_that_is_asked_for(observer: Observer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", observer.port, timeout=60)
    with closing(connection):
        for encoding, packed in (
            ("gzip", True),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", True),
            ("gzip;q=0", False),
            ("identity", False),
        ):
            connection.request("GET", "/metrics", headers={"Accept-Encoding": encoding})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.getheader("content-encoding") == ("gzip" if packed else None)
            assert b"ent_redis_up 1" in (gzip.decompress(body) if packed else body)


@contextmanager
def half_open(port: int, number: int) -> Iterator[list[socket.socket]]:
    """So many connections of one client whose requests never end; those that the server closes are opened again by `renew`."""
    held = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(number)]
    try:
        yield held
    finally:
        for one in held:
            one.close()


def renew(held: list[socket.socket], port: int) -> None:
    """Send another byte on each; open those anew that were closed."""
    for index, one in enumerate(held):
        try:
            one.sendall(b"x")
        except OSError:
            one.close()
            held[index] = socket.create_connection(("127.0.0.1", port), 20)
            with suppress(OSError):
                held[index].sendall(PART)


def ask(port: int, path: str, source: str) -> int:
    """The status of an answer to a client at `source`."""
    with closing(socket.create_connection(("127.0.0.1", port), 20, (source, 0))) as one:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return int(one.recv(1 << 16).split(b" ")[1])


def test_a_thousand_half_open_requests_and_then_no_descriptor_at_all(
    redis_server: RedisServer, tmp_path: Path, catalog: Catalog
) -> None:
    place = Place(redis_server.url, f"test.{uuid.uuid4().hex[:12]}", tmp_path, archive_dir=tmp_path / "archive")
    filler = Filler(place, catalog.digest)
    address = RedisAddress(place.redis_url)
    archives, alerts = ArchiveReader(address, place.prefix), AlertStore(address, place.prefix)
    first = (now_minute() // 60 - 4) * 60

    def all_goes_on(until: int) -> bool:
        """Whether time is settled, judged and archived up to an epoch minute."""
        state, judged = archives.state(), alerts.book().judged_minute
        settled = (state.settled_ms or 0) // 60_000
        archived = max((said.minute for said in state.archives.values()), default=0)
        return min(settled, (judged or 0) + 1, archived) >= until

    filler.count({first + 5: events(12)}, watermark_ms=(first + 60) * 60_000)
    with observing_process(place, DESCRIPTORS) as (observer, process):
        wait_until(lambda: all_goes_on(first + 60), 60)
        with half_open(observer.port, HALF_OPEN) as held:
            filler.count({first + 115: events(7)}, watermark_ms=(first + 120) * 60_000)

            def goes_on_attacked() -> bool:
                renew(held, observer.port)
                assert ask(observer.port, "/healthz", "127.0.0.2") == 200, "another client is answered all the while"
                assert ask(observer.port, "/metrics", "127.0.0.2") == 200
                assert ask(observer.port, "/healthz", "127.0.0.1") in (200, 503)
                return all_goes_on(first + 120)

            wait_until(goes_on_attacked, 90)
        wait_until(lambda: observer.get("/healthz")[0] == 200)

        # Whatever took them: with no descriptor left for `accept`, it waits, and serves again.
        hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[1]
        taken = {int(each.name) for each in Path(f"/proc/{process.pid}/fd").iterdir()}
        print(f"\nan observer at rest holds {len(taken)} descriptors")
        first_free = min(set(range(hard)) - taken)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (first_free, hard))
        with ExitStack() as stack:
            waiting = [
                stack.enter_context(socket.create_connection(("127.0.0.1", observer.port), 30)) for _ in range(40)
            ]
            for one in waiting:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            wait_until(lambda: "no HTTP connection can be taken up" in process.program.log_file.read_text())
            time.sleep(2.5)
            assert process.exit_code is None
            assert process.program.log_file.read_text().count("no HTTP connection can be taken up") == 1
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (hard, hard))
            assert {one.recv(1 << 16).split(b" ")[1] for one in waiting} == {b"200"}
        filler.count({first + 175: events(7)}, watermark_ms=(first + 180) * 60_000)
        wait_until(lambda: (archives.state().settled_ms or 0) >= (first + 180) * 60_000, 60)
        assert process.exit_code is None
        assert observer.scrape(minutes=False)[("ent_events_total", "44", "NOTES")] == 12 + 7 + 7
    archives.close()
    alerts.close()


def test_one_client_does_not_take_all_places_of_the_stream(redis_server: RedisServer, tmp_path: Path) -> None:
    place = Place(redis_server.url, f"test.{uuid.uuid4().hex[:12]}", tmp_path)
    with observing_process(place, DESCRIPTORS) as (observer, _process), ExitStack() as stack:

        def stream(source: str, method: str = "GET") -> socket.socket:
            one = stack.enter_context(socket.create_connection(("127.0.0.1", observer.port), 30, (source, 0)))
            one.sendall(f"{method} /page/stream HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            return one

        for _ in range(210):  # nor are places taken that nobody reads from
            assert status_of(stream("127.0.0.1", "HEAD")) == 200
        greedy = [stream("127.0.0.1") for _ in range(300)]
        assert sorted(status_of(one) for one in greedy) == [200] * 200 + [503] * 100
        assert status_of(stream("127.0.0.1")) == 503
        others = [stream("127.0.0.2") for _ in range(20)] + [stream("127.0.0.3")]
        assert {status_of(one) for one in others} == {200}
        assert ask(observer.port, "/metrics", "127.0.0.4") == 200


def status_of(one: socket.socket) -> int:
    return int(one.recv(12).split(b" ")[1])
