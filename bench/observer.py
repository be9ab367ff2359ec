"""`python -m bench.observer`: what an observer costs while minutes settle: loops and detector, with an open page, with scrapes every 5 s.

A real Kafka, Redis and worker; visits arrive at a steady rate. The detector judges all series of the shipped lists. Each window is some
settled minutes long; printed is the observer's CPU (user + system) as a part of a core. Exit status 1 when detector and page take more
than the goal.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

from bench.__main__ import cpu_seconds, servers
from bench.live import Generator
from bench.scrape import chain, scrape
from streams import edges
from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.observe.series import make_plan
from streams.settings import default_config_dir
from streams.topics import ensure_topics

GOAL = 0.03
SCRAPE_SECONDS = 5.0
#: Until the first minutes have settled, and the detector has loaded.
WARM_SECONDS = 100.0


def share(pid: int, seconds: float, port: int | None = None) -> float:
    """CPU of a process as a part of a core; with `port` it is scraped meanwhile."""
    cpu, began = cpu_seconds(pid), time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        if port is not None:
            scrape(port)
        time.sleep(min(left, SCRAPE_SECONDS))
    return (cpu_seconds(pid) - cpu) / (time.monotonic() - began)


class OpenPage:
    """Somebody who looks at the live page, and reads what it is sent until the end."""

    def __init__(self, port: int) -> None:
        self._answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/page/stream", timeout=60)
        self.bytes = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(HTTPException):  # the observer ends first
            while data := self._answer.read1(65_536):
                self.bytes += len(data)


def main() -> int:
    """Measure three windows, print; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.observer", description=__doc__)
    parser.add_argument("--rate", type=int, default=100, help="events a second")
    parser.add_argument("--minutes", type=int, default=3, help="of each window")
    asked = parser.parse_args()
    catalog = load_catalog(default_config_dir())
    series = sum(len(group.series) for group in make_plan(catalog, load_calendar(default_config_dir(), catalog)).groups)
    with tempfile.TemporaryDirectory(prefix="vigie-observer-") as name, servers(Path(name)) as settings:
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        with chain(settings, Path(name)) as (observer, port):
            generator = Generator(settings, asked.rate)
            try:
                time.sleep(WARM_SECONDS)
                minutes = {
                    line.split()[2] for line in scrape(port)[0].splitlines() if line.startswith(b"ent_minute_visits{")
                }
                if not minutes:
                    raise SystemExit("no minute settled: no figure")
                seconds = asked.minutes * 60.0
                quiet = share(observer.pid, seconds)
                page = OpenPage(port)
                with_page = share(observer.pid, seconds)
                scraped = share(observer.pid, seconds, port)
            finally:
                generator.stop()
    busy = os.getloadavg()[0] > 1.5
    print(
        f"{series} series, {asked.rate:,} events/s, windows of {asked.minutes} settled minutes; load {os.getloadavg()[0]:.1f}"
        f"{' (busy: figures are too high)' if busy else ''}"
    )
    print(f"loops and detector: {quiet:.1%} of a core")
    print(f"and an open page ({page.bytes:,} bytes sent): {with_page:.1%}")
    print(f"and a scrape every {SCRAPE_SECONDS:.0f} s: {scraped:.1%}")
    met = with_page < GOAL
    print(f"goal: detector and page under {GOAL:.0%} of a core: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
