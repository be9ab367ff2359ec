"""One collector process, from plain values to a clean stop."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from streams.access import TokenBook
from streams.addresses import host_port, is_loopback
from streams.broker import KafkaAddress
from streams.collect.collector_app import create_collector_app
from streams.collect.door import Door, DoorRules
from streams.collect.event_log import EventLog
from streams.errors import SettingsError
from streams.web import TlsFiles, WebServer, listen

log = logging.getLogger(__name__)

#: A stop waits this long for requests that wait for Kafka.
STOP_SECONDS_MAX = 5


@dataclass(frozen=True, slots=True)
class CollectorOptions:
    """What a collector is told. `tls` are certificate and key; `is_behind_proxy`: another program speaks TLS in front of it."""

    kafka: KafkaAddress
    topic: str
    host: str
    port: int
    tokens_file: Path
    tls: tuple[Path, Path] | None
    is_behind_proxy: bool
    rules: DoorRules


def collect_until_stopped(options: CollectorOptions) -> None:
    """Take events until SIGTERM or Ctrl-C.

    Raises:
        SettingsError: the tokens or the certificate cannot be used; or tokens would go over the network as they are.
        ServerError: the port cannot be had.
    """
    if options.tls is None and not options.is_behind_proxy and not is_loopback(options.host):
        raise SettingsError(
            f"collector_host {options.host} is reached from other machines, and tokens would travel in the clear: set tls_certfile and "
            "tls_keyfile; or tls_by_proxy=true where a proxy in front speaks TLS and nobody else reaches this port"
        )
    book = TokenBook(options.tokens_file)
    tls = None if options.tls is None else TlsFiles(*options.tls)
    listening = listen(options.host, options.port, "choose another collector_port")
    events = EventLog(options.kafka, options.topic, options.rules.limits.confirm_seconds_max)
    app = create_collector_app(Door(book, events, options.rules), events)
    scheme = "http" if tls is None else "https"
    log.info("the collector listens on %s://%s", scheme, host_port(options.host, options.port))
    WebServer(app, listening, STOP_SECONDS_MAX, tls).serve_until_stopped()
