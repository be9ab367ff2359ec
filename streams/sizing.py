"""How much machine an audience needs: workers, Redis, Kafka, a scrape. Pure: a demand in, a size out.

Every constant names the command that measured it (docs/performance.md). Sizes are for the worst minute, with half of each core left: after
a stop, a worker catches up with the other half.
"""

import math
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Constant:
    """A measured figure; `command` measures it anew."""

    name: str
    value: float
    unit: str
    command: str


WORKER_EVENT = Constant("a worker, for an event, live", 16.0, "µs of CPU", "make bench-live")
WORKER_CHUNK = Constant("a worker, for what one fetch brings of one partition", 450.0, "µs of CPU", "make bench-live")
FETCHES = Constant("fetches of one partition, live, at most", 2.0, "a second", "make bench-live")
REDIS_CALL = Constant("Redis, for one call of a worker", 1_300.0, "µs of CPU", "make bench-live")
REDIS_EVENT = Constant("Redis, for each of the first 200 events of a call", 5.2, "µs of CPU", "make bench-live")
REDIS_EVENT_FULL = Constant("Redis, for each further event of a call", 3.0, "µs of CPU", "make bench-live")
CALLS = Constant("calls of one worker, live, at most", 14.0, "a second", "make bench-live")
REDIS_FIELD = Constant("Redis, for a field of a minute", 60.0, "bytes", "python -m bench.scrape")
KAFKA_EVENT = Constant("Kafka, for an event on disk, lz4", 101.0, "bytes", "make bench-peers")
WORKER_MEMORY = Constant("a worker that has just started", 170.0, "MiB", "python -m bench.rewind")
WORKER_MEMORY_RATE = Constant("all workers, for each event a second", 0.05, "MiB", "python -m bench.rewind")
SCRAPE_LINE = Constant("a line of a scrape, before gzip", 68.0, "bytes", "python -m bench.scrape")

CONSTANTS = (
    WORKER_EVENT, WORKER_CHUNK, FETCHES, REDIS_CALL, REDIS_EVENT, REDIS_EVENT_FULL, CALLS, REDIS_FIELD, KAFKA_EVENT,
    WORKER_MEMORY, WORKER_MEMORY_RATE, SCRAPE_LINE,
)  # fmt: skip

#: The part of a core that the worst minute may take of a worker, or of Redis.
BUSY_MAX = 0.5
PARTITIONS_MIN = 8
#: A sketch of users or establishments, as Redis keeps a full one: 16,384 registers of six bits, and a head.
SKETCH_BYTES = 16_384 * 6 // 8 + 16
#: Minutes whose sketches are held, and minutes that one scrape exposes.
SKETCH_MINUTES, SCRAPE_MINUTES = 20, 6
#: Distinct fields of a minute beside those by region and service, for each region: profiles, projects, academies, late.
FIELDS_BESIDE = 24
#: From so many events in a call on, most fields of the next ones are in it already.
FEW_EVENTS = 200.0


@dataclass(frozen=True, slots=True)
class Demand:
    """An audience. `events_per_second` in the worst minute; `regions` that send, as many as `config/regions.yaml` has for France."""

    events_per_second: float
    events_per_day: float
    services: int
    regions: int = 20
    partitions: int = PARTITIONS_MIN
    minutes_kept_hours: int = 72
    retention_hours: int = 168
    replication: int = 3


#: A rectorat in a login storm, France's worst minute, ten times that. A day has a third of its storm's rate for ten hours
#: (`config/load_shape.yaml`: a tenth of a day's visits in its best hour, three times as many in a storm of logins).
EXAMPLES = (
    ("a rectorat", Demand(2_000, 24e6, 26, regions=2)),
    ("France", Demand(36_000, 432e6, 26)),
    ("ten times France", Demand(360_000, 4.32e9, 26)),
)


@dataclass(frozen=True, slots=True)
class Size:
    """What that needs. `redis_prefixes`: into how many installations it has to be split, by region, since one Redis has one core."""

    workers: int
    worker_cores: float
    worker_memory_mib: float
    partitions: int
    redis_cores: float
    redis_memory_mib: float
    redis_prefixes: int
    kafka_bytes_per_second: float
    kafka_disk_bytes: float
    scrape_lines: int
    scrape_bytes: float


def size_of(demand: Demand) -> Size:
    """The size for a demand.

    Raises:
        ValueError: a number of the demand is not above 0.
    """
    if min(demand.events_per_second, demand.events_per_day, demand.services, demand.regions, demand.partitions) <= 0:
        raise ValueError("a demand has events, services, regions and partitions: give numbers above 0")
    workers, partitions, cores = _workers(demand.events_per_second, demand.partitions)
    redis_cores = _redis_cores(demand.events_per_second, workers)
    pairs = demand.regions * (demand.services + 1)
    fields = 2 * pairs + demand.regions * FIELDS_BESIDE
    scrape_lines = pairs * (1 + 2 * SCRAPE_MINUTES) + 1_000
    return Size(
        workers=workers,
        worker_cores=cores,
        worker_memory_mib=WORKER_MEMORY.value + WORKER_MEMORY_RATE.value * demand.events_per_second / workers,
        partitions=partitions,
        redis_cores=redis_cores,
        redis_memory_mib=_redis_bytes(demand, fields) / MIB,
        redis_prefixes=math.ceil(redis_cores / BUSY_MAX),
        kafka_bytes_per_second=demand.events_per_second * KAFKA_EVENT.value,
        kafka_disk_bytes=demand.events_per_day * KAFKA_EVENT.value * demand.retention_hours / 24 * demand.replication,
        scrape_lines=scrape_lines,
        scrape_bytes=scrape_lines * SCRAPE_LINE.value,
    )


def _workers(rate: float, partitions: int) -> tuple[int, int, float]:
    """Workers, partitions and cores of all workers: a worker has one core and at least one partition of its own."""
    cores = _worker_cores(rate, partitions)
    workers = max(2, math.ceil(cores / BUSY_MAX))  # two, so that one may die
    if workers > partitions:  # twice as many, so that they can be shared out evenly
        partitions = 2 * workers
        cores = _worker_cores(rate, partitions)
    return max(workers, math.ceil(cores / BUSY_MAX)), partitions, cores


def _worker_cores(rate: float, partitions: int) -> float:
    chunks = min(rate, partitions * FETCHES.value)
    return (rate * WORKER_EVENT.value + chunks * WORKER_CHUNK.value) / 1e6


def _redis_cores(rate: float, workers: int) -> float:
    """A call costs what it is; its first events bring fields of their own, the others add to these."""
    calls = min(rate, workers * CALLS.value)
    events = rate / calls
    micros = REDIS_EVENT.value * min(events, FEW_EVENTS) + REDIS_EVENT_FULL.value * max(0.0, events - FEW_EVENTS)
    return calls * (REDIS_CALL.value + micros) / 1e6


def _redis_bytes(demand: Demand, fields: int) -> float:
    """Minutes by field, and sketches: users and establishments by region, project and academy of the last minutes, and of three days."""
    sketches = (SKETCH_MINUTES * 5 + 3 * 2) * demand.regions
    return demand.minutes_kept_hours * 60 * fields * REDIS_FIELD.value + sketches * SKETCH_BYTES
