"""Alerts and expectations as Prometheus families: what runs, against what, since when, what drives it; names in French beside the codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric as Family

from streams import metrics
from streams.catalog import UNKNOWN, Catalog
from streams.clock import scenario_time
from streams.expose.families import Row, Stamped, family
from streams.expose.french import Words
from streams.expose.samples import FRANCE
from streams.live import AlertBook, AlertRecord, Driver
from streams.observe import DetectorFigures, ExpectedRow
from streams.watch import Scope

#: In place of a label that does not apply.
NONE = "-"
PLANNED, LEARNING, SMALL = "planned", "learning", "small"
#: A service calls somebody only where so many visits a minute were counted or expected: three instead of one wake nobody.
SERVICE_VISITS_A_MINUTE_MIN = 10.0
#: A service of a region whose own alert of that kind runs is a part of it; more than the bound are counted only.
PART, BOUND = "part", "bound"
SCOPES = ("national", "region", "project", "service")
#: So long after a wider alert is over, what is left of it in its parts calls nobody.
TAIL_MINUTES = 30
#: Parts of an alert that are exposed: those that an e-mail names.
DRIVERS_MAX = 3
#: Alerts exposed at most, the newest: a country in flames is still a bounded number of series.
ACTIVE_MAX = 200


def quiet_because(alert: AlertRecord) -> str | None:
    """Why nobody is called for an alert that runs: it was planned, its series is still learned, or too small; None where somebody is."""
    if alert.planned is not None:
        return PLANNED
    if alert.learning:
        return LEARNING
    minutes = max(1.0, (alert.until_ms - alert.start_ms) / 60_000)
    small = max(alert.observed, alert.expected) < SERVICE_VISITS_A_MINUTE_MIN * minutes
    return SMALL if alert.service is not None and small else None


def alert_families(book: AlertBook, catalog: Catalog) -> Iterator[Family]:
    """What runs and somebody is called for, and how many run quietly. A project's alerts carry the region it lies in."""
    regions = {project.code: project.region for project in catalog.projects}
    words = Words(catalog, 0)

    def labels_of(alert: AlertRecord) -> tuple[str, ...]:
        region = alert.region or regions.get(alert.project or "") or NONE
        return (alert.kind, alert.scope, region, alert.service or NONE, alert.project or NONE)

    called = [alert for alert in book.running if quiet_because(alert) is None]
    wide = {(alert.kind, alert.region) for alert in called if alert.service is None and alert.project is None}
    parts = [
        one
        for one in called
        if (one.service and wide & {(one.kind, None), (one.kind, one.region)})
        or _outlasts(one, one.region or regions.get(one.project or ""), book)
    ]
    # The widest first: where there are too many, what explains the others must not be what is left out.
    whole = sorted((one for one in called if one not in parts), key=lambda one: SCOPES.index(one.scope))
    active = whole[:ACTIVE_MAX]
    quiet = Counter((alert.kind, why) for alert in book.running if (why := quiet_because(alert)))
    quiet.update((alert.kind, PART) for alert in parts)
    quiet.update((alert.kind, BOUND) for alert in whole[ACTIVE_MAX:])
    rows: list[tuple[metrics.Metric, list[Row]]] = [
        (metrics.ALERT_ACTIVE, [(labels_of(one), 1) for one in active]),
        (metrics.ALERT_RATIO, [(labels_of(one), round(one.ratio, 4)) for one in active if one.ratio is not None]),
        (metrics.ALERT_INFO, [((*labels_of(one), words.title(one)), 1) for one in active]),
        (metrics.ALERT_OBSERVED, [(labels_of(one), one.observed) for one in active]),
        (metrics.ALERT_EXPECTED, [(labels_of(one), one.expected) for one in active]),
        (metrics.ALERT_START, [(labels_of(one), one.start_ms / 1000) for one in active]),
        (
            metrics.ALERT_LAST_RENTREE,
            [(labels_of(one), one.last_rentree) for one in active if one.last_rentree is not None],
        ),
        (
            metrics.ALERT_DRIVER,
            [
                ((*labels_of(one), _code(driver)), driver.ratio)
                for one in active
                for driver in one.drivers[:DRIVERS_MAX]
                if driver.ratio is not None
            ],
        ),
        (metrics.ALERTS_QUIET, [(key, number) for key, number in sorted(quiet.items())]),
    ]
    for metric, some in rows:
        yield family(metric, some)
    if book.judged_minute is not None:
        yield family(metrics.JUDGED, [((), (book.judged_minute + 1) * 60)])


def _outlasts(alert: AlertRecord, region: str | None, book: AlertBook) -> bool:
    """Whether an alert is the tail of a wider one of its kind that is over: France calms down a few minutes before its last region."""
    rank = SCOPES.index(alert.scope)
    now_ms = ((book.judged_minute or 0) + 1) * 60_000
    return any(
        wider.end_ms is not None
        and wider.kind == alert.kind
        and SCOPES.index(wider.scope) < min(rank, SCOPES.index("project"))
        and wider.region in (None, region)
        and alert.start_ms < wider.end_ms
        and now_ms - wider.end_ms <= TAIL_MINUTES * 60_000
        and quiet_because(wider) is None
        for wider in book.alerts
    )


def _code(driver: Driver) -> str:
    return driver.project or driver.service or driver.region or NONE


def expected_families(
    minutes: Sequence[int], regions: Sequence[str], expected: Callable[[Scope, int, int], list[ExpectedRow]]
) -> Iterator[Stamped]:
    """What was expected of France and each region in these epoch minutes, at their own time; minutes that are not judged are left out."""
    if not minutes:
        return
    tables = {
        region: {
            row.minute: row
            for row in expected(Scope(None if region == FRANCE else region), minutes[0], minutes[-1] + 1)
        }
        for region in (FRANCE, *regions)
    }
    seconds = [minute * 60 for minute in minutes]
    for metric, name in (
        (metrics.EXPECTED_VISITS, "expected"),
        (metrics.EXPECTED_LOWER, "lower"),
        (metrics.EXPECTED_UPPER, "upper"),
    ):
        series = [
            ({"region": region}, [getattr(rows.get(minute), name, None) for minute in minutes])
            for region, rows in tables.items()
        ]
        known = [pair for pair in series if any(value is not None for value in pair[1])]
        if known:
            yield Stamped(metric, seconds, known)


def name_families(catalog: Catalog) -> list[Family]:
    """French names of codes."""
    academies = [(one.code, one.name) for region in catalog.regions for one in region.academies] + [
        (UNKNOWN, "Académie inconnue")
    ]
    return [
        family(metrics.REGION_INFO, [((code, catalog.region_name(code)), 1) for code in catalog.region_codes]),
        family(metrics.SERVICE_INFO, [((code, catalog.service_label(code)), 1) for code in catalog.service_codes]),
        family(metrics.ACADEMY_INFO, [((code, name), 1) for code, name in academies]),
        family(metrics.PROJECT_INFO, [((code, catalog.project_name(code)), 1) for code in catalog.project_codes]),
    ]


def screen_shift(now_ms: int, shift_seconds: int) -> float:
    """Seconds that screens add to UTC at the clock's `now_ms`."""
    shown = scenario_time(now_ms, shift_seconds).replace(tzinfo=UTC)
    return round((shown - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds())


@dataclass(frozen=True, slots=True)
class AlertScraper:
    """What one scrape says of alerts. `figures` is None where this observer does not judge."""

    catalog: Catalog
    shift_seconds: int
    book: Callable[[], AlertBook]
    figures: Callable[[], DetectorFigures | None]
    expected: Callable[[Scope, int, int], list[ExpectedRow]]
    kafka_up: Callable[[], bool | None]
    now_ms: Callable[[], int]

    def families(self, minutes: Sequence[int]) -> tuple[list[Family], list[Stamped]]:
        """What is read from Redis and memory; `minutes` are those that are exposed at their own time.

        Raises:
            ServerError: Redis does not answer.
        """
        shift = screen_shift(self.now_ms(), self.shift_seconds)
        found = [
            *alert_families(self.book(), self.catalog),
            *name_families(self.catalog),
            family(metrics.SCREEN_SHIFT, [((), shift)]),
        ]
        figures = self.figures()
        if figures is None:
            return found, []
        found.append(family(metrics.DETECTOR_LOADING, [((), int(figures.judged_to is None))]))
        found.append(family(metrics.DETECTOR_FAILURES, [((), figures.failures)]))
        regions = [region.code for region in self.catalog.regions]
        return found, list(expected_families(minutes, regions, self.expected))

    def always(self) -> list[Family]:
        """What does not need Redis."""
        up = self.kafka_up()
        return [] if up is None else [family(metrics.KAFKA_UP, [((), int(up))])]
