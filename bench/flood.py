"""`make bench-flood`: what a flood of one ENT does to the others, on a real Kafka and Redis, with one worker and one collector over TLS.

`mbn` sends 2,000 events a second through the collector all the time; its delay is that from a request to the total in Redis, which
`ent_events_total` shows. `elyco` floods meanwhile: through the collector, which bounds its token; then as a trusted writer of Kafka without
a bound; then with a quota of Kafka's. Printed is what of the flood was taken, and what became of the delay of the other one.
"""

import argparse
import http.client
import os
import random
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from confluent_kafka import Producer

from bench.collector import certificate_of, start_collector
from bench.quota import producer_quota
from streams import edges
from streams.access import Grant, TokenFile
from streams.access.tokens import make_token
from streams.count import Cut
from streams.live import LiveReader
from streams.local import Process, Program, free_ports, kafka, redis
from streams.settings import Settings
from streams.topics import ensure_topics

RATE, BATCH_EVENTS, FLOOD_EVENTS = 2_000, 100, 5_000
#: What the flooding one's token may send a second: a third of what this flood sends, so that the limit is reached.
TOKEN_RATE = 1_000
GOAL_SECONDS = 2.0
#: Of the flooding client, in Kafka: some 4,000 events a second.
QUOTA_BYTES = 1 << 20
FLOODER = "flooder"
POLL_SECONDS = 0.02


@dataclass(slots=True)
class Sending:
    """What a sender came to. `at`: of each batch that was taken, when its request began and how many events there were with it."""

    taken: int = 0
    refused: int = 0
    at: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where a sender sends."""

    port: int
    certificate: Path
    token: str
    project: str

    def connect(self) -> http.client.HTTPSConnection:
        """A connection."""
        trust = ssl.create_default_context(cafile=str(self.certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=trust, timeout=60)


def events_of(project: str, number: int, rnd: random.Random) -> list[tuple[bytes, bytes]]:
    """Keys and values of so many events."""
    made, now_ms = [], time.time_ns() // 1_000_000
    for _ in range(number):
        visitor = b"%064x" % rnd.getrandbits(256)
        made.append(
            (
                visitor,
                b'{"v":1,"id":"%032x","ts":%d,"project":"%s","uai":"0541234Y","service":"NOTES","profile":"ELEVE","visitor":"%s"}'
                % (rnd.getrandbits(128), now_ms, project.encode(), visitor),
            )
        )
    return made


def send_steadily(door: Entrance, flow: Sending, stopping: threading.Event) -> None:
    """`RATE` events a second; late batches are sent at once."""
    # No seed: an id that a phase before had is a repeat.
    rnd, connection, begun, batches = random.Random(), door.connect(), time.monotonic(), 0
    while not stopping.is_set():
        due = begun + batches * BATCH_EVENTS / RATE
        time.sleep(max(0.0, due - time.monotonic()))
        batches += 1
        asked = time.monotonic()
        accepted = _post(connection, door, rnd)
        if accepted is None:
            raise SystemExit("the collector did not take what it should: no figure")
        flow.taken += accepted
        flow.at.append((asked, flow.taken))


def flood_collector(door: Entrance, flow: Sending, stopping: threading.Event) -> None:
    """As fast as it goes, without waiting for what `Retry-After` says. A token may send at once what it may in 30 s: that comes first."""
    rnd, connection = random.Random(), door.connect()
    while not stopping.is_set():
        accepted = _post(connection, door, rnd, FLOOD_EVENTS)
        flow.taken += accepted or 0
        flow.refused += FLOOD_EVENTS if accepted is None else 0


def _post(
    connection: http.client.HTTPSConnection, door: Entrance, rnd: random.Random, number: int = BATCH_EVENTS
) -> int | None:
    body = b"\n".join(value for _key, value in events_of(door.project, number, rnd))
    headers = {"Authorization": f"Bearer {door.token}", "Content-Type": "application/x-ndjson"}
    connection.request("POST", "/v1/events", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    return int(orjson.loads(said)["accepted"]) if answer.status == 200 else None


def flood_kafka(settings: Settings, flow: Sending, stopping: threading.Event) -> None:
    """As fast as Kafka takes them; what is in the client's buffer at the end is thrown away."""
    rnd = random.Random()
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "client.id": FLOODER,
            "linger.ms": 20,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 20_000,
        }
    )

    def delivered(error: object, _message: object) -> None:
        flow.taken += error is None

    some = events_of("elyco", 20_000, rnd)
    while not stopping.is_set():
        key, value = rnd.choice(some)
        try:
            producer.produce(settings.topic, value, key=key, on_delivery=delivered)
            producer.poll(0)
        except BufferError:
            producer.poll(0.01)
    producer.purge()
    producer.flush(30)


class FloodedChain:
    """Servers, a worker and a collector, and what is counted."""

    def __init__(self, directory: Path, running: ExitStack) -> None:
        kafka_port, controller_port, redis_port, port, worker_port = free_ports(5)
        certificate, key = certificate_of(directory)
        tokens = {}
        for project, rate in (("mbn", 1_000_000), ("elyco", TOKEN_RATE)):
            made = make_token(Grant(projects=(project,), events_per_second_max=rate), datetime.now(UTC))
            TokenFile(directory / "tokens.json").add(made.token)
            tokens[project] = made.text
        self.settings = Settings(
            kafka_bootstrap_servers=f"127.0.0.1:{kafka_port}",
            redis_url=f"redis://127.0.0.1:{redis_port}/0",
            collector_port=port,
            worker_port=worker_port,
            tokens_file=directory / "tokens.json",
            tls_certfile=certificate,
            tls_keyfile=key,
        )
        self.doors = {project: Entrance(port, certificate, text, project) for project, text in tokens.items()}
        for program in (kafka(directory / "k", kafka_port, controller_port), redis(directory / "r", redis_port)):
            _start(Process(program), running)
        ensure_topics(edges.kafka_address(self.settings), edges.topic_designs(self.settings))
        _start(start_collector(directory, self.settings), running)
        names = ("kafka_bootstrap_servers", "redis_url", "worker_port")
        environment = {f"VIGIE_{name.upper()}": str(getattr(self.settings, name)) for name in names}
        environment["VIGIE_STACK_FILE"] = str(directory / "none.json")
        argv = (sys.executable, "-m", "streams", "worker")
        log = directory / "worker.log"
        _start(Process(Program("worker", argv, directory, log, worker_port, environment=environment)), running)
        self.reader = LiveReader(edges.redis_address(self.settings), self.settings.redis_prefix)
        running.callback(self.reader.close)

    def looked(self) -> tuple[int, int, float]:
        """Events counted of `mbn` and of all, and the longest lag of a partition in seconds."""
        snapshot = self.reader.snapshot()
        counted = {key[1]: number for key, number in snapshot.totals.items() if key[0] == Cut.PROJECT}
        lags = [beat.lag_seconds for beat in snapshot.heartbeats.values()]
        return counted.get("mbn", 0), sum(counted.values()), max(lags, default=0.0)


@dataclass(frozen=True, slots=True)
class FloodPhase:
    """What one flood came to; delays and lag in seconds."""

    name: str
    flood_a_second: float
    refused_a_second: float
    delays: tuple[float, float, float]
    lag: float


def measure(
    chain: FloodedChain, name: str, flood: Callable[[Sending, threading.Event], None] | None, seconds: float
) -> FloodPhase:
    """Send both for a while, and look until all of `mbn` is counted."""
    base = chain.looked()[0]
    flow, flooded, stopping, ended = Sending(), Sending(), threading.Event(), threading.Event()
    threads = [threading.Thread(target=send_steadily, args=(chain.doors["mbn"], flow, stopping), daemon=True)]
    if flood is not None:
        threads.append(threading.Thread(target=flood, args=(flooded, ended), daemon=True))
    for thread in threads:
        thread.start()
    looks: list[tuple[float, int]] = []
    begun, lag = time.monotonic(), 0.0
    deadline = begun + 3 * seconds + 120
    while not (stopping.is_set() and looks[-1][1] >= flow.taken) and time.monotonic() < deadline:
        counted, _all, behind = chain.looked()
        looks.append((time.monotonic(), counted - base))
        lag = max(lag, behind)
        if time.monotonic() > begun + seconds and not stopping.is_set():
            ended.set()
            stopping.set()
            threads[0].join(60)
        time.sleep(POLL_SECONDS)
    for thread in threads:
        thread.join(60)
    delays, look = [], 0
    for at, number in flow.at:
        while look < len(looks) and looks[look][1] < number:
            look += 1
        delays.append(looks[look][0] - at if look < len(looks) else float("inf"))
    delays.sort()
    p50, p99, most = (delays[min(len(delays) - 1, int(len(delays) * part))] for part in (0.5, 0.99, 1.0))
    return FloodPhase(name, flooded.taken / seconds, flooded.refused / seconds, (p50, p99, most), lag)


def main() -> int:
    """Measure and print; 1 where the delay without a flood, or beside one that is bounded, is over the goal."""
    parser = argparse.ArgumentParser(prog="make bench-flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each phase")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigie-bench-") as name, ExitStack() as running:
        chain = FloodedChain(Path(name), running)
        elyco = chain.doors["elyco"]
        measure(chain, "warm-up", None, 3.0)
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}\n")
        print(
            "| flood | taken/s | refused/s | delay of the other ENT: p50, p99, max s | lag of the slowest partition, max s |"
        )
        print("|---|---|---|---|---|", flush=True)
        found = [
            _told(measure(chain, "none", None, asked.seconds)),
            _told(measure(chain, "collector", lambda flow, end: flood_collector(elyco, flow, end), asked.seconds)),
        ]
        with producer_quota(edges.kafka_address(chain.settings), FLOODER, float(QUOTA_BYTES)):
            flooding = lambda flow, end: flood_kafka(chain.settings, flow, end)  # noqa: E731
            found.append(_told(measure(chain, "trusted writer, Kafka's quota", flooding, asked.seconds)))
        _told(measure(chain, "trusted writer, no quota", flooding, asked.seconds))
    met = all(phase.delays[1] < GOAL_SECONDS for phase in found)
    print(f"\np99 at {RATE:,} events/s under {GOAL_SECONDS:g} s but for the last: {'met' if met else 'NOT met'}")
    return 0 if met else 1


def _told(phase: FloodPhase) -> FloodPhase:
    delays = ", ".join(f"{each:.2f}" for each in phase.delays)
    row = (phase.name, f"{phase.flood_a_second:,.0f}", f"{phase.refused_a_second:,.0f}", delays, f"{phase.lag:.1f}")
    print(f"| {' | '.join(row)} |", flush=True)
    return phase


def _start(process: Process, running: ExitStack) -> None:
    running.callback(process.stop)
    process.wait_ready()


if __name__ == "__main__":
    sys.exit(main())
