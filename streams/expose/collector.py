"""The observer's `/metrics`: read anew from Redis at each scrape, written by prometheus_client. A scrape changes nothing anywhere.

The kept forecast is a few series of it.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from streams import metrics
from streams.background import BackgroundLoop
from streams.catalog import Catalog
from streams.clock import PARIS
from streams.errors import ServerError, StateError, VigieError
from streams.expose.alert_samples import AlertScraper
from streams.expose.codes import Lists, signs_of
from streams.expose.due import LOOK_BACK_SECONDS, due_minutes, window_seconds
from streams.expose.minute_writer import MinuteWriter, StampedMinutes
from streams.expose.samples import (
    ManySeries,
    Row,
    archive_families,
    census_families,
    family,
    pair_families,
    redis_up,
    snapshot_families,
    unseen_family,
)
from streams.forecast.kept import BOUNDS, KeptForecast, quarter_that_ends, whole_day
from streams.live import LiveReader, MinuteCounts, Snapshot
from streams.loop_metrics import LoopCollector
from streams.observe import ArchiveFigures, Census, progress_problem
from streams.web import encoder_for

_logger = logging.getLogger(__name__)
_AHEAD_HOURS = {"0h": 0, "1h": 1}
_DAYS = {"today": 0, "tomorrow": 1}


class ForecastScraper:
    """Reads the forecast at each scrape: a command replaces it. One that cannot be read exposes nothing, and is said once."""

    def __init__(self, kept: Callable[[], KeptForecast | None], shift_seconds: int) -> None:
        self._kept = kept
        self._shift_seconds = shift_seconds
        self._said = ""

    def families(self, now_ms: int) -> Iterator[Family]:
        """Nothing where no forecast is kept; `now_ms` is the clock's."""
        try:
            forecast = self._kept()
        except VigieError as error:
            if self._said != str(error):
                self._said = str(error)
                _logger.warning("no forecast in /metrics: %s", error)
            return
        if forecast is None:
            return
        now = now_ms / 1000 + self._shift_seconds  # days of the archive are those that screens show
        ahead = {name: quarter_that_ends(forecast, now + hours * 3600) for name, hours in _AHEAD_HOURS.items()}
        today = datetime.fromtimestamp(now, PARIS).date()
        days = {name: whole_day(forecast, today + timedelta(days=number)) for name, number in _DAYS.items()}
        yield family(metrics.FORECAST_VISITS, _rows(ahead))
        yield family(metrics.FORECAST_DAY_VISITS, _rows(days))


def _rows(told: dict[str, tuple[float, ...] | None]) -> list[Row]:
    return [
        ((name, bound), value)
        for name, values in told.items()
        if values is not None
        for bound, value in zip(BOUNDS, values, strict=True)
    ]


class SettledMinutes:
    """What was read of the minutes of the last scrape. Threads may share it: at worst a minute is read twice."""

    def __init__(self, reader: LiveReader, catalog: Catalog) -> None:
        self._reader = reader
        self._held: dict[int, MinuteCounts] = {}
        self._signs = signs_of(catalog)

    def read(self, minutes: Sequence[int]) -> list[MinuteCounts]:
        """Return exactly these minutes, empty ones included, as Redis holds them now.

        Raises:
            ServerError: Redis does not answer.
            StateError: what it holds was not written by this version.
        """
        before = self._held
        found = {
            minute: before[minute]
            for minute, now in self._reader.columns([minute for minute in minutes if minute in before], self._signs)
            if now == [before[minute].counts.get(field, 0) for field in self._signs]
        }
        if missing := [minute for minute in minutes if minute not in found]:
            found |= {each.minute: each for each in self._reader.fetch(missing)}
        self._held = found
        return [found[minute] for minute in minutes]


_END = b"# EOF\n"


@dataclass(frozen=True, slots=True)
class Scrape(Collector):
    """What one scrape exposes: what prometheus_client writes, and what writes itself, minutes at their own time among it."""

    families: list[Family]
    many: list[ManySeries | StampedMinutes] = field(default_factory=list)

    def collect(self) -> Iterable[Family]:
        """What prometheus_client writes."""
        return self.families


class Scraper:
    """Reads one atomic snapshot and the minutes that are due; Redis down gives `ent_redis_up 0` and nothing else, never zeros.

    `census` gives the last one of the observer's loop: users are not counted anew at each scrape. `archive` gives where the archive stands,
    None where this observer has none.
    """

    def __init__(
        self,
        reader: LiveReader,
        census: Callable[[], Census | None],
        archive: Callable[[], ArchiveFigures | None],
        *,
        lists: Lists,
        lateness_ms: int,
        alerts: AlertScraper | None = None,
        forecast: ForecastScraper | None = None,
        loops: Sequence[BackgroundLoop] = (),
    ) -> None:
        self._reader = reader
        self._census = census
        self._archive = archive
        self._minutes = SettledMinutes(reader, lists.catalog)
        self.lists = lists
        self._writer = MinuteWriter(lists)
        self._lateness_ms = lateness_ms
        self._alerts = alerts
        self._forecast = forecast
        self._loops = LoopCollector(loops)
        self._started_at = time.monotonic()

    def scrape(self) -> Scrape:
        """Read Redis."""
        try:
            snapshot = self._reader.snapshot()
            if progress_problem(snapshot) is not None:
                return Scrape([redis_up(False), *self._always()])
            due = self._due(snapshot)
            unseen = unseen_family(self._reader.unseen.sizes())
            alerts, stamped = self._alerts.families([one.minute for one in due]) if self._alerts else ([], [])
        except (ServerError, StateError):  # the observer's loop logs it, once
            return Scrape([redis_up(False), *self._always()])
        families = [
            redis_up(True),
            unseen,
            *snapshot_families(snapshot, self.lists, self._lateness_ms),
            *census_families(self._census(), snapshot.settled_ms, self.lists),
            *archive_families(self._archive()),
            *(self._forecast.families(snapshot.now_ms) if self._forecast else ()),
            *alerts,
            *self._always(),
        ]
        minutes = StampedMinutes(self._writer, due)
        return Scrape(families, [*pair_families(snapshot, self.lists), minutes, *stamped])

    def _always(self) -> list[Family]:
        """What does not need Redis."""
        return [*(self._alerts.always() if self._alerts else []), *self._loops.collect()]

    def _due(self, snapshot: Snapshot) -> list[MinuteCounts]:
        settled = self._reader.settled_since(snapshot.now_ms - LOOK_BACK_SECONDS * 1000)
        window = window_seconds(time.monotonic() - self._started_at)
        return self._minutes.read(due_minutes(settled, snapshot.now_ms, window))


def render(scrape: Scrape, accept: str) -> tuple[bytes, str]:
    """Return the scrape's body and content type, OpenMetrics where the `Accept` header asks for it."""
    encode, content_type = encoder_for(accept)
    body = encode(scrape)
    is_openmetrics = content_type.startswith("application/openmetrics-text")
    many = "".join(one.text(openmetrics=is_openmetrics) for one in scrape.many).encode()
    if is_openmetrics:
        return body.removesuffix(_END) + many + _END, content_type
    return body + many, content_type
