"""`vigie recount` on a real Kafka and Redis, with counts made by the counter itself, without a worker."""

import asyncio
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import orjson
import pytest
import redis
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from streams.audit.log import open_log
from streams.catalog import Catalog, control_letter
from streams.clock import paris_text
from streams.count import Batch, Counting, CountingRules, PartitionCounter
from streams.edges import event_bounds, kafka_address, redis_address
from streams.live import LiveReader, LiveWriter, Outcome
from streams.publish import VisitPublisher
from streams.settings import Settings
from tests.servers.commands import Ended, run
from tests.servers.conftest import Installation
from tests.servers.truth import all_records

pytestmark = pytest.mark.servers
UAIS = [f"{digits}{control_letter(digits)}" for digits in ("0541234", "0750001", "9740001")]


def publish(settings: Settings, number: int, first: int = 0) -> None:
    """Events of the last minutes; some late, repeated, of unknown codes, broken."""
    now_ms = time.time_ns() // 1_000_000
    with VisitPublisher(kafka_address(settings), topic=settings.topic) as publisher:
        for n in range(first, first + number):
            visitor = f"{n % 97:032x}"
            event = {
                "v": 1,
                "id": f"id-{n - 1 if n % 50 == 49 else n}",
                "ts": now_ms - (n % 31) * 10_000,
                "visitor": visitor if n % 50 != 49 else f"{(n - 1) % 97:032x}",
                "uai": UAIS[n % 3] if n % 11 else "nowhere",
                "service": "NOTES" if n % 5 else "unheard of",
                "project": "mbn",
                "profile": "ELEVE",
            }
            value = b"broken" if n % 100 == 7 else orjson.dumps(event)
            publisher.send_raw(value, str(event["visitor"]).encode())


def count(settings: Settings, catalog: Catalog) -> None:
    """Count what the topic holds into Redis, as a worker would."""
    rules = CountingRules.of(catalog, event_bounds(settings), settings.lateness_seconds * 1000)
    with open_log(kafka_address(settings), settings.topic) as log:
        found: dict[int, list[Any]] = {}
        for partition, some in all_records(log):
            found.setdefault(partition, []).extend(some)
    asyncio.run(_apply(settings, rules, found))


def _batches(records: Sequence[Any]) -> list[Batch]:
    batches = []
    for append_ms, group in groupby(records, key=lambda record: record.timestamp):
        some = list(group)
        offsets = [record.offset for record in some]
        values = [record.value for record in some]
        batches.append(Batch(append_ms, values, [record.key for record in some], offsets, offsets[-1] + 1))
    return batches


async def _apply(settings: Settings, rules: CountingRules, found: dict[int, list[Any]]) -> None:
    writer = LiveWriter(redis_address(settings), settings.redis_prefix)
    try:
        await writer.prepare(rules.catalog.digest, settings.topic, "id", settings.topic_partitions)
        for partition, records in found.items():
            delta = PartitionCounter(Counting(rules), None).count(_batches(records))
            applied = (await writer.apply({partition: [delta]}))[partition]
            assert applied.outcome is Outcome.APPLIED
    finally:
        await writer.close()


def recount(installation: Installation, *words: str) -> Ended:
    return run(installation.environment, "recount", *words)


def test_agrees_then_names_the_row_that_was_changed(installation: Installation, catalog: Catalog) -> None:
    settings = installation.settings
    nothing = recount(installation)
    assert nothing.code == 1
    assert "nothing to compare" in nothing.stdout.decode()
    publish(settings, 3000)
    count(settings, catalog)
    publish(settings, 500, first=3000)  # not counted yet: not compared
    agreed = recount(installation, "--json")
    document = orjson.loads(agreed.stdout)
    assert agreed.code == 0, agreed.said
    assert document["agrees"] is True
    assert document["totals_compared"] is True
    assert document["records"] == 3000
    assert document["minutes_compared"] >= 5
    assert document["differences"] == []

    reader = LiveReader(redis_address(settings), settings.redis_prefix)
    minute = reader.held()[1]
    reader.close()
    base = "{" + settings.redis_prefix + "}:"
    with redis.Redis.from_url(settings.redis_url, decode_responses=True) as raw:
        before = int(raw.hget(f"{base}minute:{minute}", "e:44:NOTES"))
        raw.hincrby(f"{base}minute:{minute}", "e:44:NOTES", 1)
        raw.hincrby(f"{base}totals", "r:not_json", -1)
    differs = recount(installation)
    assert differs.code == 1
    assert "2 rows differ:" in differs.stdout.decode()
    stamp = paris_text(minute * 60_000, 0)
    assert f"{stamp}  region,service 44 NOTES: Redis {before + 1}, log {before}" in differs.stdout.decode()
    assert "rejected not_json: Redis 29, log 30" in differs.stdout.decode()


def test_a_shortened_log_is_not_held_against_redis(installation: Installation, catalog: Catalog) -> None:
    settings = installation.settings
    publish(settings, 1000)
    count(settings, catalog)
    client = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        cut = {TopicPartition(settings.topic, partition): 20 for partition in range(settings.topic_partitions)}
        client.delete_records(cut)
    finally:
        client.close()
    found = recount(installation, "--json")
    document = orjson.loads(found.stdout)
    # All events lie before the first append time + max_ahead: none of their minutes is whole in the log.
    assert found.code == 1
    assert (document["minutes_compared"], document["totals_compared"]) == (0, False)
    assert document["differences"] == []
    assert "no longer begins at offset 0 in 8 of 8 partitions" in document["notes"][0]


def test_a_log_that_ends_before_redis_is_refused(installation: Installation, catalog: Catalog) -> None:
    settings = installation.settings
    publish(settings, 50)
    count(settings, catalog)
    with redis.Redis.from_url(settings.redis_url, decode_responses=True) as raw:
        raw.hset("{" + settings.redis_prefix + "}:offsets", "0", "0 999 1 1")
    found = recount(installation)
    assert found.code == 4
    assert "Redis stands at offset 999 of partition 0" in found.message
