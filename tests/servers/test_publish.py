"""Publishing to a real Kafka: the library."""

import gc
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import orjson
import pytest
from kafka.partitioner import murmur2

from streams.audit.log import open_log
from streams.broker import KafkaAddress
from streams.edges import kafka_address
from streams.errors import InputError, ServerError
from streams.events import VisitEvent, decode
from streams.local import Process, Program, free_ports, kafka
from streams.publish import BufferFull, NotDelivered, PublisherLimits, Undelivered, VisitPublisher, pseudonym
from streams.publish.mark import MarkFile
from streams.publish.send_lines import LineFeed
from streams.settings import Settings
from streams.topics import TopicDesign, ensure_topics
from tests.servers.conftest import Installation, KafkaServer
from tests.servers.truth import all_records
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.servers,
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]
SECRET = "0123456789abcdef"


@pytest.fixture(scope="module", autouse=True)
def _collect_sockets() -> Iterator[None]:
    yield
    gc.collect()


def everything(address: KafkaAddress, topic: str) -> list[tuple[int, bytes | None, bytes]]:
    """All records of a topic: (partition, key, value)."""
    with open_log(address, topic) as log:
        return [(number, record.key, record.value) for number, some in all_records(log) for record in some]


def records(settings: Settings) -> list[tuple[int, bytes | None, bytes]]:
    return everything(kafka_address(settings), settings.topic)


@pytest.fixture
def publisher(installation: Installation) -> Iterator[VisitPublisher]:
    settings = installation.settings
    with VisitPublisher(kafka_address(settings), {"mbn": SECRET}, topic=settings.topic) as made:
        yield made


def test_events_arrive_once_in_their_visitors_partition(installation: Installation, publisher: VisitPublisher) -> None:
    def publish(thread: int) -> None:
        for number in range(200):
            publisher.publish(service="NOTES", uai="0541234Y", user_id=f"{thread}-{number % 20}", profile="ELEVE")

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.flush() == 0
    found = publisher.deliveries()
    assert (found.taken, found.delivered, found.failed, found.pending) == (800, 800, 0, 0)
    arrived = records(installation.settings)
    events = [event for _, _, value in arrived if isinstance(event := decode(value), VisitEvent)]
    assert len({event.id for event in events}) == len(arrived) == 800
    assert {event.visitor for event in events} == {pseudonym(SECRET, f"{t}-{n}") for t in range(4) for n in range(20)}
    assert all((event.project, event.service, event.profile) == ("mbn", "NOTES", "ELEVE") for event in events)
    for partition, key, value in arrived:
        assert key == orjson.loads(value)["visitor"].encode()
        assert partition == (murmur2(key) & 0x7FFFFFFF) % 8


def test_without_a_key_events_are_spread(installation: Installation, publisher: VisitPublisher) -> None:
    for _ in range(400):
        publisher.send_raw(b"{}", None)
    publisher.flush()
    arrived = Counter(partition for partition, _, _ in records(installation.settings))
    assert len(arrived) == 8
    assert arrived.total() == 400


def test_what_would_be_rejected_is_refused_at_once(publisher: VisitPublisher) -> None:
    with pytest.raises(InputError, match="too_large"):
        publisher.publish(service="N" * 5000, uai="0541234Y", user_id="1")
    with pytest.raises(InputError, match="ill_typed"):
        publisher.publish(service="NOTES", uai=541234, user_id="1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="No secret for project 'other'"):
        publisher.publish(service="NOTES", uai="0541234Y", user_id="1", project="other")
    with pytest.raises(InputError, match="larger than Kafka takes"):
        publisher.send_raw(b"x" * 1_100_000, None)
    assert publisher.deliveries().taken == 0
    with pytest.raises(InputError, match="shorter than 16"):
        VisitPublisher("127.0.0.1:9", {"mbn": "short"})


def test_a_missing_topic_is_named(installation: Installation) -> None:
    limits = PublisherLimits(connect_seconds_max=2)
    publisher = VisitPublisher(kafka_address(installation.settings), topic="no.such.topic", limits=limits)
    with pytest.raises(ServerError, match=r"no topic 'no\.such\.topic': `vigie check` creates it"):
        publisher.connect()
    publisher.send_raw(b"{}", None)
    assert "no topic" in (publisher.health().problem or "")
    assert (publisher.close(0.1).taken, publisher.failed) == (1, 1)


def test_a_kafka_that_is_away_at_the_start_makes_nobody_wait(tmp_path: Path) -> None:
    """The first events are buffered, the health says why, and they arrive when Kafka comes up: once, in order."""
    port, controller_port = free_ports(2)
    address = KafkaAddress((f"127.0.0.1:{port}",))
    limits = PublisherLimits(buffer_events_max=500, connect_seconds_max=1)
    failures: list[Undelivered] = []
    with VisitPublisher(address, {"mbn": SECRET}, topic="visits", limits=limits, on_failed=failures.append) as made:
        longest = 0.0
        for number in range(500):
            began = time.monotonic()
            made.publish(service="NOTES", uai="0541234Y", user_id=number, id=str(number))
            longest = max(longest, time.monotonic() - began)
        assert longest < 0.5, "ten seconds each, it was"
        with pytest.raises(BufferFull):
            made.send_raw(b"{}", None)
        wait_until(lambda: "ECONNREFUSED" in (made.health().problem or ""))
        assert (made.health().connected, made.pending, made.failed) == (False, 500, 0)
        server = _run(kafka(tmp_path, port, controller_port, heap_mib=256))
        try:
            ensure_topics(address, [TopicDesign("visits", 2, 1, 1, 168)])
            assert made.flush(30) == 0
            assert (made.health().connected, made.health().problem, made.delivered) == (True, None, 500)
            arrived = everything(address, "visits")
            for partition in (0, 1):
                ids = [int(orjson.loads(value)["id"]) for number, _, value in arrived if number == partition]
                assert ids == sorted(ids)
            assert len(arrived) == 500
        finally:
            made.close(1)
            server.stop()
    assert not failures
    with pytest.raises(InputError, match="closed"):
        made.send_raw(b"{}", None)


def test_wrong_credentials_are_named(installation: Installation) -> None:
    address = KafkaAddress(
        kafka_address(installation.settings).bootstrap_servers, "SASL_PLAINTEXT", "SCRAM-SHA-512", "ent", "wrong"
    )
    limits = PublisherLimits(connect_seconds_max=1)
    publisher = VisitPublisher(address, {"mbn": SECRET}, limits=limits)
    publisher.publish(service="NOTES", uai="0541234Y", user_id=31415)
    wait_until(lambda: publisher.health().problem is not None)
    assert "check kafka_security_protocol, kafka_sasl_username" in (publisher.health().problem or "")
    with pytest.raises(ServerError, match="check kafka_security_protocol, kafka_sasl_username"):
        publisher.connect()
    assert publisher.close(0.1).failed == 1


def test_what_is_no_event_is_an_input_error(publisher: VisitPublisher) -> None:
    """Whatever an ENT's code hands over: `InputError`, or the event is taken. Nothing else is raised."""
    for wrong in (
        {"user_id": None},
        {"user_id": ""},
        {"user_id": True},
        {"user_id": "\ud800"},
        {"user_id": b"1"},
        {"ts_ms": "now"},
        {"ts_ms": 2**70},
        {"id": object()},
        {"service": "\udfff"},
        {"service": b"NOTES"},
    ):
        with pytest.raises(InputError):
            publisher.publish(**{"service": "NOTES", "uai": "0541234Y", "user_id": "1", **wrong})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="bytes"):
        publisher.send_raw("{}", None)  # type: ignore[arg-type]
    assert publisher.deliveries().taken == 0


def _run(program: Program) -> Process:
    process = Process(program)
    process.wait_ready()
    return process


def test_kafka_goes_away_and_comes_back(tmp_path: Path) -> None:
    """One outage with everything: the buffer fills and says so, nothing is lost or doubled; then one that does not end."""
    port, controller_port = free_ports(2)
    address = KafkaAddress((f"127.0.0.1:{port}",))
    server = _run(kafka(tmp_path, port, controller_port, heap_mib=256))
    failures: list[Undelivered] = []
    limits = PublisherLimits(buffer_events_max=1500, block_seconds_max=0.3)
    try:
        ensure_topics(address, [TopicDesign("visits", 2, 1, 1, 168)])
        publisher = VisitPublisher(address, topic="visits", limits=limits, on_failed=failures.append)
        for number in range(1000):
            publisher.send_raw(b'{"n":%d}' % number, b"%d" % number)
        server.kill()
        taken, full = _fill(publisher, 1000)
        assert full.waiting == 1500 == publisher.pending
        server = _run(kafka(tmp_path, port, controller_port, heap_mib=256))
        assert publisher.flush(30) == 0
        assert (publisher.delivered, failures) == (taken, [])
        assert sorted(value for _, _, value in everything(address, "visits")) == sorted(
            b'{"n":%d}' % number for number in range(taken)
        )
        _feed_into_an_outage(address, server, MarkFile(tmp_path / "events.ndjson"))
        publisher.send_raw(b"{}", b"k", "last")
        found = publisher.close(0.5)
        assert (found.taken, found.delivered, found.failed, found.pending) == (taken + 1, taken, 1, 0)
        assert [(one.tag, one.value) for one in failures] == [("last", b"{}")]
        assert list(found.reasons) == ["the publisher was closed before Kafka confirmed it"]
    finally:
        server.stop()


def _feed_into_an_outage(address: KafkaAddress, server: Process, marks: MarkFile) -> None:
    """Kafka goes away under `vigie publish`, for longer than events may wait: what it did not confirm is open in the mark."""
    feed = LineFeed(marks=marks)
    limits = PublisherLimits(buffer_events_max=50, block_seconds_max=0.1, delivery_seconds_max=2)
    publisher = VisitPublisher(address, topic="visits", limits=limits, on_failed=feed.on_failed)
    publisher.connect()
    server.kill()
    looks: list[int] = []
    lines = b"\n" + b"".join(b'{"visitor":"%d"}\n' % number for number in range(1000))
    feed.run(BytesIO(lines), publisher, lambda: looks.append(publisher.pending))
    assert not feed.ended
    assert feed.trouble == "Kafka did not confirm it within 2 s"
    # A line that waits for room may still be taken while the first ones fail.
    assert 51 <= feed.lines == feed.undelivered.count + 1 <= 53
    assert (feed.delivered, feed.through) == (0, 1)
    (mark,) = marks.read()
    assert (mark.lines, mark.sent, mark.skipped, mark.open) == (feed.lines, 0, 1, ((2, feed.lines - 1),))
    assert looks, "progress goes on while Kafka is away"


def _fill(publisher: VisitPublisher, taken: int) -> tuple[int, BufferFull]:
    for number in range(taken, 10_000):
        try:
            publisher.send_raw(b'{"n":%d}' % number, b"%d" % number, number)
        except BufferFull as full:
            return number, full
    raise AssertionError("the buffer never was full")


def test_leaving_with_events_unconfirmed_raises(installation: Installation) -> None:
    settings = installation.settings
    with pytest.raises(NotDelivered, match="1 of 1 events"), _AbandonedPublisher(settings):
        pass


class _AbandonedPublisher(VisitPublisher):
    """Closed without any patience."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(kafka_address(settings), topic=settings.topic, limits=PublisherLimits(linger_ms=5000))
        self.send_raw(b"{}", None)

    def close(self, timeout_seconds: float = 0.0):
        return super().close(timeout_seconds)


@pytest.mark.parametrize("document", ["README.md", "docs/integration.md"])
def test_the_documented_snippet_runs(kafka_server: KafkaServer, document: str) -> None:
    text = (Path(__file__).parents[2] / document).read_text(encoding="utf-8")
    (snippet,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "VisitPublisher(" in block]
    ours = re.sub(r'"[^"]*:1?9092"', f'"{kafka_server.bootstrap_servers}"', snippet)
    assert ours != snippet
    address = KafkaAddress((kafka_server.bootstrap_servers,))
    ensure_topics(address, [TopicDesign("ent.visits", 8, 1, 1, 168)])
    before = len(everything(address, "ent.visits"))
    failures: list[Undelivered] = []
    names = {"secret": SECRET, "own_id": f"own-{document}", "keep_for_later": failures.append}
    exec(compile(ours, document, "exec"), names)
    assert (len(everything(address, "ent.visits")) - before, failures) == (1, [])


#: Publishes before a fork, in the child, and after it in the parent, and closes nothing.
FORKS = """
import os, sys
from streams.publish import VisitPublisher
publisher = VisitPublisher(sys.argv[1], secrets={"mbn": bytes(32)}, topic=sys.argv[2])
def publish(name):
    for number in range(50):
        publisher.publish(service="NOTES", uai="0541234Y", user_id=number, id=f"{name}-{number}")
publish("before")
assert not publisher.flush()
publish("at-fork")
child = os.fork()
publish("parent" if child else "child")
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_program_that_forks_and_closes_nothing_loses_and_doubles_nothing(installation: Installation) -> None:
    settings = installation.settings
    command = [sys.executable, "-c", FORKS, settings.kafka_bootstrap_servers, settings.topic]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    # On a busy machine a topic that was just created may not be known yet: that is said, and tried again.
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    ids = [orjson.loads(value)["id"] for _, _, value in records(settings)]
    expected = {f"{name}-{number}" for name in ("before", "at-fork", "parent", "child") for number in range(50)}
    assert (len(ids), set(ids)) == (200, expected)
