"""One run of one contender: its figures, held against a plain recount. A wrong count is no figure: it ends the bench."""

import contextlib
import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from confluent_kafka import Consumer
from redis import Redis

from bench.__main__ import measure
from bench.peers.contenders import OURS, OURS_COUNT, ROOT, Contender, NotHereError
from streams import edges
from streams.catalog import Catalog
from streams.count import Cut
from streams.live import LiveReader
from streams.settings import Settings

RUN_SECONDS_MAX = 300

#: (epoch minute, departement or region, service) -> events.
Counts = Mapping[tuple[int, str, str], int]


class Figures(msgspec.Struct, frozen=True):
    """What one run cost. `redis_cpu_seconds` is Redis's from its start to its end; 0 where none is used."""

    contender: str
    round: int
    events: int
    cpu_seconds: float
    wall_seconds: float
    redis_cpu_seconds: float = 0.0
    versions: dict[str, str] = {}
    passes: tuple[float, ...] = ()
    others_cores: float = 0.0

    @property
    def per_cpu_second(self) -> float:
        """Events by CPU second of the process."""
        return self.events / self.cpu_seconds

    @property
    def with_redis(self) -> float:
        """The same, Redis's CPU counted in."""
        return self.events / (self.cpu_seconds + self.redis_cpu_seconds)


class _Answer(msgspec.Struct, frozen=True):
    wall_seconds: float
    cpu_seconds: float
    versions: dict[str, str]
    counts: list[tuple[int, str, str, int]]
    read: int | None = None
    passes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One topic and what it holds: `truth` by departement (as the first three characters of the UAI), `by_region` by region."""

    settings: Settings
    events: int
    truth: Counts
    by_region: Counts


def recount(settings: Settings, events: int, catalog: Catalog) -> Job:
    """Read a topic whole with json alone.

    Raises:
        SystemExit: it does not hold so many events.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": settings.kafka_bootstrap_servers,
            "group.id": f"recount.{settings.topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([settings.topic])
    truth: Counter[tuple[int, str, str]] = Counter()
    by_region: Counter[tuple[int, str, str]] = Counter()
    read = 0
    while messages := consumer.consume(10_000, 10.0):
        for message in messages:
            event = json.loads(message.value())
            minute = event["ts"] // 60_000
            truth[minute, event["uai"][:3], event["service"]] += 1
            by_region[minute, catalog.uai_index[event["uai"]][0], event["service"]] += 1
        read += len(messages)
        if read >= events:
            break
    consumer.close()
    if read != events:
        raise SystemExit(f"{settings.topic} holds {read:,} events, {events:,} were sent: no figure")
    return Job(settings, events, truth, by_region)


def run(contender: Contender, job: Job, round_number: int, directory: Path) -> Figures:
    """Run it once and compare its counts.

    Raises:
        NotHereError: it failed.
        SystemExit: it counted wrong.
    """
    if contender.name == OURS:
        return _run_worker(job, round_number, directory)
    answer = _run_program(contender, job, directory / f"{contender.name}-{round_number}")
    if contender.decodes:
        found = {(minute, place, service): number for minute, place, service, number in answer.counts}
        _compare(contender.name, found, job.by_region if contender.name == OURS_COUNT else job.truth)
    elif answer.read != job.events:
        raise SystemExit(f"{contender.name} read {answer.read} of {job.events:,} records: no figure")
    return Figures(
        contender.name,
        round_number,
        job.events,
        answer.cpu_seconds,
        answer.wall_seconds,
        versions=answer.versions,
        passes=answer.passes,
    )


def _run_worker(job: Job, round_number: int, directory: Path) -> Figures:
    redis = Redis.from_url(job.settings.redis_url)
    before = _redis_cpu(redis)
    # Every run has a prefix and a group of its own, so `measure` wants a number that none had before.
    found = measure(job.settings, round_number, job.events, directory)
    spent = _redis_cpu(redis) - before
    redis.close()
    reader = LiveReader(edges.redis_address(job.settings), f"bench{round_number}")
    counts = {
        (minute.minute, field[1], field[2]): number
        for minute in reader.minutes()
        for field, number in minute.counts.items()
        if field[0] == Cut.EVENTS
    }
    reader.close()
    _compare(OURS, counts, job.by_region)
    share = found.events / job.events  # what was measured of the worker lies behind its first chunk
    return Figures(OURS, round_number, found.events, found.cpu_seconds, found.wall_seconds, spent * share)


def _redis_cpu(redis: Redis) -> float:
    told = redis.info("cpu")
    return sum(
        float(told[name])
        for name in told
        if name.startswith(("used_cpu_user", "used_cpu_sys")) and "thread" not in name
    )


def _compare(name: str, found: Counts, truth: Counts) -> None:
    differ = {key for key in found.keys() | truth.keys() if found.get(key, 0) != truth.get(key, 0)}
    if differ:
        first = min(differ)
        raise SystemExit(
            f"{name} counted wrong: {len(differ)} of {len(truth)} counts differ, first {first}: "
            f"{found.get(first, 0)}, the recount says {truth.get(first, 0)}: no figure"
        )


def _run_program(contender: Contender, job: Job, base: Path) -> _Answer:
    out, log = base.with_suffix(".json"), base.with_suffix(".log")
    own = {
        "PEER_SERVERS": job.settings.kafka_bootstrap_servers,
        "PEER_TOPIC": job.settings.topic,
        "PEER_EVENTS": str(job.events),
        "PEER_OUT": str(out),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            contender.command,
            cwd=ROOT if contender.name == OURS_COUNT else base.parent,
            env={**os.environ, **own, **contender.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        code = process.wait(RUN_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise NotHereError(f"did not end within {RUN_SECONDS_MAX} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code != 0 or not out.exists():
        raise NotHereError(f"ended with {code}: {_tail(log)}")
    return msgspec.json.decode(out.read_bytes(), type=_Answer)


def _tail(log: Path) -> str:
    return " | ".join(_last(log.read_text(errors="replace").splitlines(), 3))[-400:]


def _last(lines: Iterable[str], number: int) -> list[str]:
    return [line.strip() for line in lines if line.strip()][-number:]
