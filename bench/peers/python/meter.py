"""What every Python peer shares: where to read, the clock, and what it hands back. Imports nothing of Vigie."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

SERVERS = os.environ["PEER_SERVERS"]
TOPIC = os.environ["PEER_TOPIC"]
EVENTS = int(os.environ["PEER_EVENTS"])
OUT = Path(os.environ["PEER_OUT"])
GROUP = f"peer-{os.getpid()}-{time.time_ns()}"

#: (epoch minute, departement, service) -> events.
Counts = Mapping[tuple[int, str, str], int]


class Meter:
    """Starts with the first event, which `start` is told of again and again."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        """The first event is there."""
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()

    def finish(self, counts: Counts, *packages: str) -> None:
        """Hand everything back and end the process at once: what a framework does at its end is not measured."""
        wall, cpu = time.perf_counter(), time.process_time()
        assert self._began is not None
        rows = [[minute, departement, service, number] for (minute, departement, service), number in counts.items()]
        result = {
            "wall_seconds": wall - self._began[0],
            "cpu_seconds": cpu - self._began[1],
            "versions": {name: version(name) for name in packages},
            "counts": rows,
        }
        OUT.write_text(json.dumps(result))
        os._exit(0)
