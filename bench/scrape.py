"""`python -m bench.scrape`: what one scrape of an observer costs, with 100 services, on a real Kafka and a real Redis.

Fills a topic with four minutes of visits over every region and service, lets one `vigie worker` count them and one `vigie serve` settle
them, and scrapes as Prometheus does (OpenMetrics, gzip). Printed: lines, bytes as sent and unpacked, milliseconds (p50, p99), CPU of the
observer a scrape, and the metrics with most lines. Exit status 1 when p99 is not under the goal.

The observer is one that has run for some minutes: a younger one exposes the last hour, so that a Prometheus that was away finds it.
"""

import argparse
import gzip
import os
import random
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from confluent_kafka import Producer
from redis import Redis

from bench.__main__ import cpu_seconds, servers
from bench.load import establishments, project_of
from streams import edges
from streams.catalog import Catalog, load_catalog
from streams.local import Process, Program, free_ports
from streams.local.ports import http_ok
from streams.settings import Settings, default_config_dir
from streams.topics import ensure_topics

GOAL_MS = 50.0
MINUTES = 4
#: What Prometheus asks for.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
WAIT_SECONDS_MAX = 120.0
#: `vigie serve` as it is after its first minutes.
SERVE = (
    "import sys, streams.expose.due as due; due.AFTER_START_SECONDS = 0; from streams.cli import cli; cli(sys.argv[1:])"
)


def config_of(directory: Path, services: int) -> Path:
    """The shipped lists with so many services."""
    target = directory / "config"
    target.mkdir()
    for path in default_config_dir().iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    listed = load_catalog(target).services
    more = "".join(
        f"  - {{code: MADE_{n:03d}, column: null, label: 'Service {n}', family: general, old: null, old_id: null, "
        "conf: false, weight: 0.001, visits_2526: null}\n"
        for n in range(services - len(listed))
    )
    path = target / "services.yaml"
    head, mark, tail = path.read_text().partition("# Groups of")
    path.write_text(head + more + mark + tail)
    return target


def fill(settings: Settings, catalog: Catalog, first_minute: int) -> int:
    """Send for each minute two visits of every region and service, and one of a known visitor later on; return how many events."""
    rnd = random.Random(1)
    by_region: dict[str, str] = {}
    while len(by_region) < len([region for region in catalog.regions if region.weight > 0]):
        for uai in establishments(catalog, 500, rnd):
            by_region.setdefault(catalog.uai_index[uai][0], uai)
    producer = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "linger.ms": 50, "compression.type": "lz4"}
    )
    sent = 0
    for minute in range(first_minute, first_minute + MINUTES):
        for uai in by_region.values():
            project = project_of(catalog, uai, rnd)
            for service in catalog.services:
                for _ in range(2):
                    visitor = f"{rnd.getrandbits(256):064x}"
                    value = (
                        f'{{"v":1,"id":"{sent:x}","ts":{minute * 60_000 + rnd.randrange(60_000)},"project":"{project}","uai":"{uai}",'
                        f'"service":"{service.code}","profile":"{rnd.choice(catalog.profiles).code}","visitor":"{visitor}"}}'
                    )
                    producer.produce(settings.topic, value.encode(), key=visitor.encode())
                    sent += 1
            producer.poll(0)
    if producer.flush(60):
        raise SystemExit("Kafka did not take everything")
    return sent


@contextmanager
def chain(settings: Settings, directory: Path) -> Iterator[tuple[Process, int]]:
    """A worker and an observer; yields the observer and its port."""
    (port,) = free_ports(1)
    names = ("kafka_bootstrap_servers", "redis_url", "worker_port", "config_dir", "detector", "metrics_all")
    own = {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in names}
    own["VIGIE_STACK_FILE"] = str(directory / "none.json")
    python = (sys.executable, "-m", "streams", "worker"), (sys.executable, "-c", SERVE, "serve", "--port", str(port))
    ready = partial(http_ok, settings.worker_port, "/healthz"), partial(http_ok, port, "/readyz")
    running = []
    try:
        for role, argv, is_ready in zip(("worker", "observer"), python, ready, strict=True):
            log = directory / f"{role}.log"
            program = Program(role, argv, Path.cwd(), log, ready=is_ready, environment=own)
            running.append(Process(program))
            running[-1].wait_ready()
        yield running[-1], port
    finally:
        for process in reversed(running):
            process.stop()


def scrape(port: int) -> tuple[bytes, int, float]:
    """One scrape: the text, bytes as sent, milliseconds."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Accept": ACCEPT, "Accept-Encoding": "gzip"}
    )
    began = time.perf_counter()
    with urllib.request.urlopen(asked, timeout=10) as answer:
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.headers["Content-Encoding"] != "gzip":
            raise SystemExit("the answer is not compressed, although that was asked for")
    return gzip.decompress(body), len(body), took


def events_counted(text: bytes) -> float:
    """How many events a scrape says, of all regions and services."""
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(b"ent_events_total{"))


def redis_minute(settings: Settings) -> tuple[int, int]:
    """Fields of the largest minute that Redis holds, and its bytes there."""
    client = Redis.from_url(settings.redis_url, decode_responses=True)
    base = "{" + settings.redis_prefix + "}:"
    keys = [f"{base}minute:{minute!s}" for minute in client.zrange(base + "minutes", 0, -1)]
    found = max((int(client.hlen(key)), int(client.memory_usage(key, samples=0) or 0)) for key in keys)
    client.close()
    return found


def wait_settled(port: int, events: int) -> None:
    """Wait until all is counted and every minute is exposed."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        text = scrape(port)[0]
        lines, counted = text.decode().splitlines(), events_counted(text)
        minutes = {line.split()[2] for line in lines if line.startswith("ent_minute_events{")}
        if counted == events and len(minutes) >= MINUTES:
            return
        time.sleep(0.5)
    raise SystemExit(
        f"not all is counted and settled after {WAIT_SECONDS_MAX:.0f} s: {counted:,.0f} of {events:,} events"
    )


def main() -> int:
    """Fill, count, scrape, print; 1 when p99 misses the goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.scrape", description=__doc__)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--scrapes", type=int, default=300)
    parser.add_argument("--all", action="store_true", help="with the setting metrics_all")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigie-scrape-") as name, servers(Path(name)) as base:
        directory = Path(name)
        config = config_of(directory, asked.services)
        settings = base.model_copy(update={"config_dir": config, "metrics_all": asked.all, "detector": False})
        catalog = load_catalog(config)
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        events = fill(settings, catalog, int(time.time()) // 60 - MINUTES - 1)
        with chain(settings, directory) as (observer, port):
            wait_settled(port, events)
            before, took, bodies = cpu_seconds(observer.pid), [], []
            began = time.monotonic()
            for _ in range(asked.scrapes):
                text, sent, milliseconds = scrape(port)
                took.append(milliseconds)
                bodies.append((len(text), sent, text.count(b"\n")))
                time.sleep(0.02)
            cpu = cpu_seconds(observer.pid) - before
            wall = time.monotonic() - began
            fields, held = redis_minute(settings)
    quantiles = statistics.quantiles(took, n=100, method="inclusive")
    unpacked, sent, lines = max(bodies)
    per_metric = Counter(line.partition(b"{")[0].partition(b" ")[0] for line in text.splitlines() if line[:1] != b"#")
    print(
        f"{len(catalog.service_codes)} services with INCONNU, {len(catalog.region_codes)} regions, {asked.scrapes} scrapes; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores{' (busy: times are too long)' if os.getloadavg()[0] > 1.5 else ''}"
    )
    minutes = {line.split()[2] for line in text.splitlines() if line.startswith(b"ent_minute_events{")}
    print(f"{len(minutes)} minutes; {lines:,} lines, {unpacked:,} bytes, {sent:,} as sent (gzip)")
    print(
        f"p50 {quantiles[49]:.1f} ms, p99 {quantiles[98]:.1f} ms, at most {max(took):.1f} ms; "
        f"{cpu / asked.scrapes * 1000:.1f} ms of CPU a scrape ({cpu / wall:.0%} of a core)"
    )
    print(f"Redis: {held:,} bytes for one minute of {fields:,} fields, {held / fields:.0f} a field")
    for metric, number in per_metric.most_common(6):
        print(f"  {number:>7,} {metric.decode()}")
    met = quantiles[98] < GOAL_MS
    print(f"goal: p99 under {GOAL_MS:.0f} ms: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
