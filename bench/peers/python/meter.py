"""What every Python peer shares: where to read, the clock, and what it hands back. Imports nothing of Vigie."""

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
    """The wall's clock starts with the first event, which `start` is told of again and again.

    That of CPU starts where a client is about to read: much of what it fetches is unpacked before it hands out the first event. With
    `after_start_up` it starts with the first event, too: what a framework does to come up is not measured.
    """

    def __init__(self, *, after_start_up: bool = False) -> None:
        self._after_start_up = after_start_up
        self._wall: float | None = None
        self._cpu = time.process_time()

    def start(self) -> None:
        """An event is there."""
        if self._wall is None:
            self._wall = time.perf_counter()
            if self._after_start_up:
                self._cpu = time.process_time()

    def finish(self, counts: Counts, *packages: str) -> None:
        """Hand everything back and end the process at once: what a framework does at its end is not measured."""
        wall, cpu = time.perf_counter(), time.process_time()
        assert self._wall is not None
        rows = [[minute, departement, service, number] for (minute, departement, service), number in counts.items()]
        result = {
            "wall_seconds": wall - self._wall,
            "cpu_seconds": cpu - self._cpu,
            "versions": {name: version(name) for name in packages},
            "counts": rows,
        }
        OUT.write_text(json.dumps(result))
        os._exit(0)
