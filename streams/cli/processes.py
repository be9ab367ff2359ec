"""`vigie serve`, `vigie collect`, `vigie worker`: the processes of a chain, each started by its own command."""

import logging
import signal
import sys

import click

from streams import edges
from streams.cli.shared import settings_and_lists
from streams.errors import SettingsError
from streams.log_lines import handler
from streams.settings import Settings, load_settings

# What each process runs is imported in its command: Faust alone takes a second and a half.


def _log_and_obey_sigterm(settings: Settings) -> None:
    """For those that uvicorn serves: it raises SIGTERM again after its clean stop, which is the end of the command, not a failure."""
    logging.basicConfig(level=settings.log_level, handlers=[handler(settings.log_format)])
    # Below that, uvicorn says what the command says itself, and a line for every broken request that anybody sends.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


@click.command()
@click.option("--host", help="Address to listen on (setting observer_host).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (setting observer_port).")
def serve(host: str | None, port: int | None) -> None:
    """Observe: settle and trim minutes; serve /metrics, /api/v1, /healthz and /readyz.

    Any number may run on the same Redis. Redis may be down: it is tried until it is back, /readyz says 503 meanwhile.
    SIGTERM or Ctrl-C stops within 10 s.
    """
    from streams.expose.observer import serve as serve_until_stopped

    settings = load_settings(observer_host=host, observer_port=port)
    _log_and_obey_sigterm(settings)
    serve_until_stopped(settings)


@click.command()
@click.option("--host", help="Address to listen on (setting collector_host).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on (setting collector_port).")
def collect(host: str | None, port: int | None) -> None:
    """Collect: take events over HTTPS from those who hold a token, and answer once Kafka has confirmed them.

    POST /v1/events with `Authorization: Bearer TOKEN`; `vigie token` makes tokens. Serves /metrics, /healthz and /readyz. Any number may
    run. Kafka may be down: it is tried until it is back, senders are told to come back meanwhile. SIGTERM or Ctrl-C stops within 10 s.
    """
    settings = load_settings(collector_host=host, collector_port=port)
    if settings.tokens_file is None:
        raise SettingsError("tokens_file is not set: name a file, and make the first token with `vigie token new`")
    from streams.collect.collector_app import collect_until_stopped
    from streams.collect.collector_limits import CollectorLimits
    from streams.collect.door import DoorRules
    from streams.count.memory import DEDUPE_MS_MIN

    _log_and_obey_sigterm(settings)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a line an attempt; what it means is said here, once
    limits = CollectorLimits(
        body_bytes_max=settings.collector_body_kib_max << 10,
        unpacked_bytes_max=settings.collector_unpacked_kib_max << 10,
        events_max=settings.collector_events_max,
        events_per_second_max=settings.collector_events_per_second_max,
        waiting_bytes_max=settings.collector_waiting_mib_max << 20,
        confirm_seconds_max=settings.collector_confirm_seconds_max,
    )
    collect_until_stopped(
        edges.kafka_address(settings),
        settings.topic,
        DoorRules(limits, edges.event_bounds(settings), DEDUPE_MS_MIN // 1000),
        host=settings.collector_host,
        port=settings.collector_port,
        tokens_file=settings.tokens_file,
        tls=edges.http_tls(settings, "collector"),
        lock=edges.http_lock(settings, "collector"),
    )


@click.command()
@click.option(
    "--slot", type=click.IntRange(0, 999), default=0, show_default=True, help="Number of this worker on its host."
)
def worker(slot: int) -> None:
    """Count the events of the partitions that Kafka assigns to this worker.

    Serves /metrics, /readyz and /healthz on worker_port + slot. Ends with an error when it cannot go on; start it again then, as a
    supervisor does: it continues where Redis stands. SIGTERM stops it within 25 s.
    """
    settings, catalog = settings_and_lists()
    from streams.ingest.health import HealthAddress
    from streams.ingest.worker import run_worker
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
