"""`vigie serve`: one observer."""

from __future__ import annotations

import logging
import signal
import sys

import click

from streams.log_lines import handler
from streams.settings import load_settings


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
    logging.basicConfig(level=settings.log_level, handlers=[handler(settings.log_format)])
    # Below that, uvicorn says what this command says itself, and a line for every broken request that anybody sends.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    # uvicorn raises the signal again after its clean stop: that is the end of this command, not a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve_until_stopped(settings)
