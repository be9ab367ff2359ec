"""One collector process, from plain values to a clean stop."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from streams.access import Gate, Lock, TokenBook
from streams.addresses import host_port
from streams.broker import KafkaAddress
from streams.collect.collector_app import COLLECTOR_ROUTES, create_collector_app
from streams.collect.door import Door, DoorRules
from streams.collect.event_log import EventLog
from streams.web import TlsFiles, WebServer, listen

log = logging.getLogger(__name__)

#: A stop waits this long for requests that wait for Kafka.
STOP_SECONDS_MAX = 5


@dataclass(frozen=True, slots=True)
class CollectorOptions:
    """What a collector is told. `lock` None: whoever reaches it may scrape it, since it listens on this machine alone."""

    kafka: KafkaAddress
    topic: str
    host: str
    port: int
    tokens_file: Path
    tls: TlsFiles | None
    lock: Lock | None
    rules: DoorRules


def collect_until_stopped(options: CollectorOptions) -> None:
    """Take events until SIGTERM or Ctrl-C.

    Raises:
        SettingsError: the tokens cannot be used.
        ServerError: the port cannot be had.
    """
    book = TokenBook(options.tokens_file)
    listening = listen(options.host, options.port, "choose another collector_port")
    events = EventLog(options.kafka, options.topic, options.rules.limits.confirm_seconds_max)
    app: ASGIApp = create_collector_app(Door(book, events, options.rules), events)
    if options.lock is not None:
        app = Gate(app, options.lock, COLLECTOR_ROUTES)
    scheme = "http" if options.tls is None else "https"
    log.info("the collector listens on %s://%s", scheme, host_port(options.host, options.port))
    WebServer(app, listening, STOP_SECONDS_MAX, options.tls).serve_until_stopped()
