"""The kept forecast as a few series: what is expected now and in an hour, and of today and tomorrow. Boards draw it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from prometheus_client.metrics_core import Metric as Family

from streams import metrics
from streams.clock import PARIS
from streams.errors import VigieError
from streams.expose.samples import Row, family
from streams.forecast.ahead import BOUNDS, quarter_that_ends, whole_day
from streams.forecast.kept import KeptForecast

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
