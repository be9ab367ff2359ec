"""What a worker says of its partitions, and no more once they went away."""

from prometheus_client import generate_latest

from streams.ingest.worker_metrics import OwnedPartition, WorkerMetrics
from streams.metric_kinds import Owner
from streams.metrics import METRICS


def test_warming_and_memory_of_the_owned_partitions():
    metrics = WorkerMetrics()
    metrics.owned({0: OwnedPartition(0.0, False, (10, 20), (400, 900)), 3: OwnedPartition(4.5, True, (1, 2), (40, 90))})
    value = metrics.registry.get_sample_value
    assert value("ent_partition_warming", {"partition": "0"}) == 0
    assert value("ent_partition_warming", {"partition": "3"}) == 1
    assert value("ent_lag_seconds", {"partition": "3"}) == 4.5
    assert [value("ent_worker_memory_entries", {"kind": kind}) for kind in ("id", "visitor")] == [11, 22]
    assert [value("ent_worker_memory_bytes", {"kind": kind}) for kind in ("id", "visitor")] == [440, 990]
    metrics.owned({0: OwnedPartition(0.0, False, (12, 20), (400, 900))})
    assert value("ent_partition_warming", {"partition": "3"}) is None
    assert value("ent_worker_memory_entries", {"kind": "id"}) == 12
    metrics.owned({})
    assert (value("ent_worker_partitions"), value("ent_worker_memory_entries", {"kind": "visitor"})) == (0, 0)


def test_exactly_the_workers_metrics_are_there():
    listed = {metric.name: metric.help for metric in METRICS if metric.owner is Owner.WORKER}
    families = list(WorkerMetrics().registry.collect())
    assert {(f"{f.name}_total" if f.type == "counter" else f.name): f.documentation for f in families} == listed
    assert generate_latest(WorkerMetrics().registry)
