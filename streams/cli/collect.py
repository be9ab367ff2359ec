"""`vigie collect`: one collector."""

from __future__ import annotations

import logging
import signal
import sys

import click

from streams import edges
from streams.errors import SettingsError
from streams.log_lines import handler
from streams.settings import load_settings


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
    from streams.collect.collector_limits import CollectorLimits
    from streams.collect.collector_process import CollectorOptions, collect_until_stopped
    from streams.collect.door import DoorRules
    from streams.count.memory import DEDUPE_MS_MIN

    logging.basicConfig(level=settings.log_level, handlers=[handler(settings.log_format)])
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a line an attempt; what it means is said here, once
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    limits = CollectorLimits(
        body_bytes_max=settings.collector_body_kib_max << 10,
        unpacked_bytes_max=settings.collector_unpacked_kib_max << 10,
        events_max=settings.collector_events_max,
        events_per_second_max=settings.collector_events_per_second_max,
        waiting_bytes_max=settings.collector_waiting_mib_max << 20,
        confirm_seconds_max=settings.collector_confirm_seconds_max,
    )
    collect_until_stopped(
        CollectorOptions(
            kafka=edges.kafka_address(settings),
            topic=settings.topic,
            host=settings.collector_host,
            port=settings.collector_port,
            tokens_file=settings.tokens_file,
            tls=edges.http_tls(settings, "collector"),
            lock=edges.http_lock(settings, "collector"),
            rules=DoorRules(limits, edges.event_bounds(settings), DEDUPE_MS_MIN // 1000),
        )
    )
