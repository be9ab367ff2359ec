"""The observer's `/metrics`: read anew from Redis at each scrape, through prometheus_client. A scrape changes nothing anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams.errors import ServerError, StateError
from streams.expose.due import LOOK_BACK_SECONDS, due_minutes, window_seconds
from streams.expose.samples import Lists, census_families, minute_families, redis_up, snapshot_families
from streams.live import LiveReader, MinuteCounts, Snapshot
from streams.observe import Census, progress_problem


class ObserverCollector(Collector):
    """Reads one atomic snapshot and the minutes that are due; Redis down gives `ent_redis_up 0` and nothing else, never zeros.

    `census` gives the last one of the observer's loop: users are not counted anew at each scrape.
    """

    def __init__(
        self,
        reader: LiveReader,
        census: Callable[[], Census | None],
        lists: Lists,
        lateness_ms: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._census = census
        self._lists = lists
        self._lateness_ms = lateness_ms
        self._clock = clock
        self._started_at = clock()

    def collect(self) -> Iterable[Family]:
        """Read Redis and yield every family."""
        try:
            snapshot = self._reader.snapshot()
            minutes = self._due(snapshot) if progress_problem(snapshot) is None else []
        except (ServerError, StateError):  # the observer's loop logs it, once
            yield redis_up(False)
            return
        if progress_problem(snapshot) is not None:
            yield redis_up(False)
            return
        yield redis_up(True)
        yield from self._families(snapshot, minutes)

    def _due(self, snapshot: Snapshot) -> list[MinuteCounts]:
        settled = self._reader.settled_since(snapshot.now_ms - LOOK_BACK_SECONDS * 1000)
        window = window_seconds(self._clock() - self._started_at)
        due = due_minutes(settled, snapshot.now_ms, window)
        return self._reader.fetch(due) if due else []

    def _families(self, snapshot: Snapshot, minutes: list[MinuteCounts]) -> Iterator[Family]:
        yield from snapshot_families(snapshot, self._lists, self._lateness_ms)
        yield from census_families(self._census(), snapshot.settled_ms, self._lists)
        yield from minute_families(minutes, self._lists)


def registry_of(collector: Collector) -> CollectorRegistry:
    """Return a registry that holds this collector alone: nothing of the process or of Python slips in."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry


def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return the scrape's body and content type, OpenMetrics where the `Accept` header asks for it."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
