"""`vigie worker`."""

from __future__ import annotations

import sys

import click

from streams import edges
from streams.catalog import load_catalog
from streams.settings import load_settings


@click.command()
@click.option(
    "--slot", type=click.IntRange(0, 999), default=0, show_default=True, help="Number of this worker on its host."
)
def worker(slot: int) -> None:
    """Count the events of the partitions that Kafka assigns to this worker.

    Serves /metrics, /readyz and /healthz on worker_port + slot. Ends with an error when it cannot go on; start it again then, as a
    supervisor does: it continues where Redis stands. SIGTERM stops it within 25 s.
    """
    settings = load_settings()
    catalog = load_catalog(settings.config_dir)
    from streams.ingest.health import HealthAddress
    from streams.ingest.worker import run_worker  # loads Faust: a second and a half that other commands need not pay
    from streams.ingest.worker_options import WorkerOptions

    events, rejected = edges.topic_designs(settings)
    options = WorkerOptions(
        kafka=edges.kafka_address(settings),
        redis=edges.redis_address(settings),
        redis_prefix=settings.redis_prefix,
        topics=(events, rejected),
        group=settings.consumer_group,
        bounds=edges.event_bounds(settings),
        lateness_ms=settings.lateness_seconds * 1000,
        shift_seconds=settings.calendar_shift_seconds,
        apply_seconds=settings.apply_interval_ms / 1000,
        rejects_kept_per_minute=settings.rejects_kept_per_minute,
        rejects_kept_bytes_per_minute=settings.rejects_kept_kib_per_minute << 10,
        http=HealthAddress(
            settings.worker_host,
            settings.worker_port + slot,
            edges.http_tls(settings, "worker"),
            edges.http_lock(settings, "worker"),
        ),
        log_level=settings.log_level,
        alive_without_redis_seconds=settings.alive_without_redis_seconds,
        log_format=settings.log_format,
        session_seconds=settings.worker_session_seconds,
        unseen_kept_ms=settings.unseen_hours_kept * 3_600_000,
    )
    sys.exit(run_worker(options, catalog))
