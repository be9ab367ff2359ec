"""Workers come and go while a backlog of batches is read, each of which takes all of the memory that a worker may have for them."""

import time
from functools import partial

import orjson
import pytest

from streams.catalog import Catalog
from streams.count import Cut
from tests.record_batches import PACK, bomb, record, sent
from tests.servers.conftest import Installation
from tests.servers.own_servers import varied
from tests.servers.raw_produce import produce
from tests.servers.truth import differences, snapshot_of, total, wait_drained
from tests.servers.workers import WorkerProcess, counted_records, workers
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.long]

RECORDS, BATCHES, PARTITIONS = 10, 30, 8
JOINS = 3


def test_a_rebalance_in_a_backlog_of_large_batches_stops_nobody(installation: Installation, catalog: Catalog) -> None:
    # Each batch unpacks to 3 MiB of records that are too large to be events: over half of what may be in hand.
    installation = varied(
        installation,
        worker_session_seconds=6,
    )
    settings = installation.settings
    large = sent("zstd", bomb("zstd", 40, RECORDS), RECORDS)
    event = {"v": 1, "ts": time.time_ns() // 1_000_000, "visitor": "0" * 32, "project": "mbn", "uai": "0541234Y"}
    for partition in range(PARTITIONS):
        for _ in range(BATCHES):
            produce(settings.kafka_bootstrap_servers, settings.topic, partition, large)
        good = orjson.dumps({**event, "id": str(partition), "service": "NOTES", "profile": "ELEVE"})
        produce(
            settings.kafka_bootstrap_servers, settings.topic, partition, sent("zstd", PACK["zstd"](record(0, good)), 1)
        )

    def read() -> int:
        return counted_records(snapshot_of(settings))

    def gone_on(before: int) -> bool:
        return read() > before

    with workers(installation.environment, installation.directory, 2) as running:
        first = running[0]
        wait_for("they read", lambda: read() > 0)
        for slot in range(2, 2 + JOINS):
            running[-1].kill()
            running.append(WorkerProcess(installation.environment, installation.directory, slot))
            wait_for("another one joined", running[-1].ready)
            before = read()
            wait_for("they go on", partial(gone_on, before), 60)
        wait_drained(settings, 90)
        assert (first.process.poll(), running[-1].process.poll()) == (None, None), "nobody was started again"
    found = snapshot_of(settings)
    assert found.totals[Cut.REJECTED, "too_large"] == RECORDS * BATCHES * PARTITIONS
    assert total(found, Cut.EVENTS) == PARTITIONS
    assert differences(settings, catalog) == []
