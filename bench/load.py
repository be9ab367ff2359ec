"""Fill a topic with events as ENT servers send them, fast: confluent-kafka, so that the generator is not what is measured."""

import random
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer

from streams.catalog import Catalog, departement_of, load_catalog, make_uai

#: Events of one visitor, on average, in the generated load.
EVENTS_A_VISITOR = 10


@dataclass(frozen=True, slots=True)
class Load:
    """What was sent: number of events, mean bytes of a value, first and last `ts` (ms)."""

    events: int
    bytes_mean: float
    first_ts_ms: int
    last_ts_ms: int


def establishments(catalog: Catalog, number: int, rnd: random.Random) -> list[str]:
    """Valid UAI over all regions, by weight."""
    regions = [region for region in catalog.regions if region.weight > 0]
    found = []
    for region in rnd.choices(regions, [region.weight for region in regions], k=number):
        departement = rnd.choice([d for academy in region.academies for d in academy.departements])
        found.append(make_uai(departement, rnd.randrange(10_000)))
    return found


def project_of(catalog: Catalog, uai: str, rnd: random.Random) -> str:
    """A project of the establishment's territory, as in the field: those of its departement or of its whole region."""
    departement, region = departement_of(uai), catalog.uai_index[uai][0]
    fits = [
        p.code for p in catalog.projects if p.region == region and (not p.departements or departement in p.departements)
    ]
    return rnd.choice(fits or [p.code for p in catalog.projects if p.region is None])


def fill(
    servers: str, topic: str, events: int, now_ms: int, config_dir: Path, *, seed: int = 1, batch: int = 10_000
) -> Load:
    """Send `events` events whose `ts` lie in the ten minutes before `now_ms`, in order with 2 s of jitter; keyed by visitor. A record batch
    holds at most `batch` of them.
    """
    rnd = random.Random(seed)
    catalog = load_catalog(config_dir)
    uais = establishments(catalog, 3000, rnd)
    services = rnd.choices(catalog.services, [service.weight for service in catalog.services], k=4096)
    profiles = rnd.choices(catalog.profiles, [profile.share for profile in catalog.profiles], k=1024)
    projects = [project_of(catalog, uai, rnd) for uai in uais]
    visitors = [f"{rnd.getrandbits(256):064x}" for _ in range(max(1, events // EVENTS_A_VISITOR))]
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 50,
            "batch.size": 262_144,
            "batch.num.messages": batch,
            "compression.type": "lz4",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 500_000,
        }
    )
    first_ms = now_ms - 600_000
    total_bytes = 0
    for i in range(events):
        visitor = rnd.randrange(len(visitors))
        name = visitors[visitor]
        ts = first_ms + i * 600_000 // events - rnd.randrange(2000)
        value = (
            f'{{"v":1,"id":"{seed:08x}{i:016x}","ts":{ts},"project":"{projects[visitor % 3000]}",'
            f'"uai":"{uais[visitor % 3000]}","service":"{services[(i * 7919) % 4096].code}",'
            f'"profile":"{profiles[visitor % 1024].code}","visitor":"{name}"}}'
        ).encode()
        total_bytes += len(value)
        while True:
            try:
                producer.produce(topic, value, key=name.encode())
                break
            except BufferError:
                producer.poll(0.05)
        if i % 5000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left:
        raise SystemExit(f"{left} events were not acknowledged by Kafka")
    return Load(events, total_bytes / events, first_ms - 2000, now_ms)
