"""One proof: a chain of its own under load, faults at random from a seed, a drain, and the comparison of every figure."""

import os
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streams import edges
from streams.catalog import load_catalog
from streams.count import Cut
from streams.local import free_ports
from streams.settings import Settings, default_config_dir
from streams.topics import ensure_topics
from tests.servers.conftest import Installation
from tests.servers.own_servers import KafkaHandle, RedisHandle
from tests.servers.supervised import Supervised
from tests.servers.traffic import Traffic
from tests.servers.truth import ROWS_MAX, differences, snapshot_of, total, wait_drained
from tests.waiting import wait_for

WORKERS = 2
EXTRA_SLOT = 2
VISITORS = 5_000
#: Pauses of a worker in seconds: within its session (12 s) and beyond it.
PAUSES = (3.0, 14.0)
#: What a proof waits for a fault to be healed before it goes on; then the chain is at fault.
HEAL_SECONDS_MAX = 120.0
DRAIN_SECONDS_MAX = 300.0
STOP_SECONDS_MAX = 25.0
#: By itself, by its own bound, or before it came to its signal handlers: it holds nothing yet.
STOP_CODES = (0, 70, -signal.SIGTERM)


@dataclass(frozen=True)
class Plan:
    """How many faults of each kind, and the load. Faults come in random order, spread over `seconds`."""

    seed: int
    seconds: float
    kills: int
    pauses: int
    rebalances: int
    redis_kills: int
    kafka_kills: int
    events_per_second: int

    @property
    def outages(self) -> int:
        return self.redis_kills + self.kafka_kills

    def faults(self, rnd: random.Random) -> list[str]:
        """The faults in the order in which they come."""
        kinds = {
            "kill": self.kills,
            "pause": self.pauses,
            "rebalance": self.rebalances,
            "redis": self.redis_kills,
            "kafka": self.kafka_kills,
        }
        found = [kind for kind, number in kinds.items() for _ in range(number)]
        rnd.shuffle(found)
        return found


@dataclass
class Report:
    """What was done, and what came of it."""

    plan: Plan
    done: Counter[str] = field(default_factory=Counter)
    records: int = 0
    events: int = 0
    duplicates: int = 0
    rejected: int = 0
    visits: int = 0
    seconds: float = 0.0
    restarts: int = 0
    rss_bytes_max: int = 0
    #: By process: what it said of itself when it was last asked. What it did between that and its death is not known.
    said: dict[int, Counter[str]] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def at_least(self, *names: str) -> int:
        """The sum of what processes counted of themselves."""
        return sum(said[name] for said in self.said.values() for name in names)


def prove(plan: Plan, directory: Path, say: Callable[[str], None]) -> Report:
    """Run a proof; its servers and workers are gone afterwards."""
    report = Report(plan)
    rnd = random.Random(plan.seed)
    catalog = load_catalog(default_config_dir())
    began = time.monotonic()
    with own_chain(directory) as (installation, kafka, redis):
        settings = installation.settings
        with Supervised(installation.environment, directory, WORKERS) as group:
            traffic = Traffic(settings.kafka_bootstrap_servers, settings.topic, catalog, plan.seed, VISITORS)
            traffic.begin(plan.events_per_second)
            wait_for("counting begins", lambda: total(snapshot_of(settings), Cut.EVENTS) > 0)
            faults = plan.faults(rnd)
            ends_at = time.monotonic() + plan.seconds
            for number, kind in enumerate(faults):
                observe(group, report)
                FAULTS[kind](Scene(group, kafka, redis, rnd))
                report.done[kind] += 1
                say(f"{number + 1}/{len(faults)} {kind}, {traffic.sent.records} records")
                left = ends_at - time.monotonic()
                time.sleep(max(0.0, rnd.uniform(0.0, 2.0) * left / (len(faults) - number)) if left > 0 else 0.0)
            sent = traffic.end(HEAL_SECONDS_MAX)
            say(f"{sent.records} records sent; waiting until all are counted")
            wait_drained(settings, DRAIN_SECONDS_MAX)
            wait_for("all workers ready", lambda: not group.unready(), HEAL_SECONDS_MAX)
            observe(group, report)
            report.differences = differences(settings, catalog, sent)
            kafka.kill()  # the worst time to be asked to stop
            stops = group.stop_all()
            if any(code not in STOP_CODES or seconds > STOP_SECONDS_MAX for code, seconds in stops):
                report.differences.append(
                    f"asked to stop while Kafka was down, workers ended with (code, seconds) {stops}"
                )
            report.restarts = len(group.exits)
            report.rss_bytes_max = group.rss_bytes_max
        found = snapshot_of(settings)
    report.records = sent.records
    report.events, report.duplicates = total(found, Cut.EVENTS), total(found, Cut.DUPLICATE)
    report.rejected, report.visits = total(found, Cut.REJECTED), total(found, Cut.VISITS)
    if lost := total(found, Cut.LOST):
        report.differences.append(f"{lost} offsets counted as lost")
    report.seconds = time.monotonic() - began
    return report


@dataclass
class Scene:
    """What a fault acts upon."""

    group: Supervised
    kafka: KafkaHandle
    redis: RedisHandle
    rnd: random.Random


def kill_worker(scene: Scene) -> None:
    scene.group.kill(scene.rnd.choice(scene.group.slots()))


def pause_worker(scene: Scene) -> None:
    scene.group.pause(scene.rnd.choice(scene.group.slots()), scene.rnd.choice(PAUSES))


def rebalance(scene: Scene) -> None:
    """A third worker joins, or leaves."""
    if EXTRA_SLOT in scene.group.slots():
        scene.group.remove(EXTRA_SLOT)
    else:
        scene.group.add(EXTRA_SLOT)


def kill_redis(scene: Scene) -> None:
    """kill -9: what was not forced to disk may be gone, offsets and counts alike."""
    scene.redis.kill()
    time.sleep(scene.rnd.uniform(0.2, 4.0))
    scene.redis.start()


def kill_kafka(scene: Scene) -> None:
    scene.kafka.kill()
    time.sleep(scene.rnd.uniform(0.2, 4.0))
    scene.kafka.start()


FAULTS: dict[str, Callable[[Scene], None]] = {
    "kill": kill_worker,
    "pause": pause_worker,
    "rebalance": rebalance,
    "redis": kill_redis,
    "kafka": kill_kafka,
}


def observe(group: Supervised, report: Report) -> None:
    """Keep what the workers count of themselves: a killed one takes its counters with it."""
    for slot in group.slots():
        worker = group.worker(slot)
        said: Counter[str] = Counter()
        for line in worker.get("/metrics")[1].splitlines():
            if line.startswith("ent_worker_chunks_total{"):
                said[line.split('"')[1]] = int(float(line.rpartition(" ")[2]))
            elif line.startswith("ent_worker_redis_failures_total "):
                said["failures"] = int(float(line.rpartition(" ")[2]))
        if said:
            report.said[worker.process.pid] = said


@contextmanager
def own_chain(directory: Path) -> Iterator[tuple[Installation, KafkaHandle, RedisHandle]]:
    """A Kafka and a Redis of this proof's own, its topics created."""
    kafka, redis = KafkaHandle(directory / "kafka"), RedisHandle(directory / "redis")
    try:
        run = uuid.uuid4().hex[:12]
        chosen: dict[str, Any] = {
            "kafka_bootstrap_servers": kafka.servers,
            "redis_url": redis.url,
            "topic": f"visits.{run}",
            "rejected_topic": f"visits.{run}.rejected",
            "consumer_group": f"group.{run}",
            "redis_prefix": f"prove.{run}",
            "worker_port": str(free_ports(EXTRA_SLOT + 1)[0]),
        }
        settings = Settings(**chosen)
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        yield Installation(settings, environment_of(chosen, directory), directory), kafka, redis
    finally:
        redis.kill()
        kafka.kill()


def environment_of(chosen: dict[str, str], directory: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    own = {f"VIGIE_{name.upper()}": value for name, value in chosen.items()}
    return {**inherited, **own, "VIGIE_STACK_FILE": str(directory / "no-stack.json")}


def table(report: Report) -> str:
    """The outcome, one line a figure."""
    plan, done = report.plan, report.done
    rows = [
        ("seed", plan.seed),
        ("records sent", report.records),
        ("events counted", report.events),
        ("visits counted", report.visits),
        ("repeats removed", report.duplicates),
        ("rejected", report.rejected),
        ("kill -9 of workers", done["kill"]),
        ("SIGSTOP and SIGCONT of workers", done["pause"]),
        ("workers joined or left", done["rebalance"]),
        ("outages: kill -9 of Redis, of Kafka", f"{done['redis']}, {done['kafka']}"),
        ("workers that ended by themselves", report.restarts),
        ("chunks refused, at least", report.at_least("moved", "layout")),
        ("retries that had gone through, at least", report.at_least("already")),
        ("Redis calls that failed, at least", report.at_least("failures")),
        ("memory of a worker at most, MB", report.rss_bytes_max // 1_000_000),
        ("seconds", round(report.seconds)),
        ("difference", len(report.differences) if len(report.differences) < ROWS_MAX else f"{ROWS_MAX} or more"),
    ]
    width = max(len(name) for name, _value in rows)
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows)
