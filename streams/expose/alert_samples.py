"""Incidents and expectations as Prometheus families: what runs, against what, since when; in French beside the codes."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client.metrics_core import Metric as Family

from streams import metrics
from streams.catalog import UNKNOWN, Catalog
from streams.clock import scenario_time
from streams.expose.alert_french import Words
from streams.expose.codes import written_labels
from streams.expose.incidents import IncidentParts
from streams.expose.samples import FRANCE, ManySeries, Row, family, singles
from streams.expose.scope import FRANCE as ALL_FRANCE
from streams.expose.scope import incidents_for, project_regions
from streams.incidents import (
    Acknowledgement,
    AlertBook,
    AlertRecord,
    Incident,
    Quiet,
    acknowledged,
    labels_of,
    quiet_because,
)
from streams.metric_kinds import Metric
from streams.observe import DetectorFigures, ExpectedRow
from streams.watch import AlertScope

#: Why a running alert calls nobody, beside the reasons of `streams.incidents`: another alert explains it; more than are exposed.
PART, BOUND = "part", "bound"
#: Alerts exposed at most, the widest first: a country in flames is still a bounded number of series.
ACTIVE_MAX = 200


def alert_families(
    book: AlertBook, words: Words, known: Sequence[Acknowledgement] | None = None, *, metrics_all: bool = False
) -> Iterator[Family]:
    """The incidents that run and somebody is called for, those of their alerts that somebody was called for before, and how many alerts
    are quiet. What is said of them changes with their figures, once a minute: one series a minute and alert.
    `known` are the acknowledgements, None where Alertmanager does not answer.
    """
    regions = project_regions(words.catalog)
    incidents = [one for one in incidents_for(ALL_FRANCE, book, words.catalog) if one.is_running]
    called = [one for one in incidents if one.quiet is None]
    shown = called[:ACTIVE_MAX]
    # Who was called before something explained it is told of its end, not of an end that is none.
    before = [alert for one in incidents for alert in one.called_before]
    active = [*(one.alert for one in shown), *before][:ACTIVE_MAX]
    said = {one.id: words.incident(one) for one in shown}
    said |= {one.id: words.part(one, whole) for whole in incidents for one in whole.called_before}
    heads, told = {one.id for one in called}, {alert.id for alert in active}
    held = {one.id for one in incidents if one.quiet is Quiet.HELD}
    quiet = Counter[tuple[str, str]]()
    for alert in book.running:
        if why := quiet_because(alert):
            quiet[alert.kind, why.value] += 1
        elif alert.id not in told:
            why_not = BOUND if alert.id in heads or alert in before else PART
            quiet[alert.kind, Quiet.HELD.value if alert.id in held else why_not] += 1

    def labels(alert: AlertRecord) -> tuple[str, ...]:
        return tuple(labels_of(alert, regions).values())

    def in_charge(one: Incident) -> tuple[str, int]:
        found = acknowledged(one, known or (), regions)
        nobody = "personne" if known is not None else "inconnu : Alertmanager ne répond pas"
        return (nobody, 0) if found is None else (words.who(found), 1)

    rows: list[tuple[Metric, list[Row]]] = [
        (metrics.ALERT_ACTIVE, [(labels(one), 1) for one in active]),
        (metrics.ALERT_RATIO, [(labels(one), round(one.ratio, 4)) for one in active if one.ratio is not None]),
        (
            metrics.ALERT_RATIO_NOW,
            [(labels(one), round(one.ratio_now, 4)) for one in active if one.ratio_now is not None],
        ),
        (
            metrics.ALERT_INFO,
            [((*labels(one), one.id, words.title(one), words.summary(one), said[one.id]), 1) for one in active],
        ),
        (metrics.ALERT_OBSERVED, [(labels(one), one.observed) for one in active]),
        (metrics.ALERT_EXPECTED, [(labels(one), one.expected) for one in active]),
        (metrics.ALERT_START, [(labels(one), one.start_ms / 1000) for one in active]),
        (
            metrics.INCIDENT_ALERTS,
            [
                ((*labels(one.alert), level), number + (level == one.alert.scope))
                for one in shown
                for level, number in one.counts.items()
            ],
        ),
        (
            metrics.ALERT_ACKNOWLEDGED,
            [((*labels(one.alert), who), taken) for one in shown for who, taken in [in_charge(one)]],
        ),
        (metrics.ALERTS_QUIET, [(key, number) for key, number in sorted(quiet.items())]),
    ]
    for metric, some in rows:
        if metrics_all or not metric.is_extra:
            yield family(metric, some)
    yield from singles((metrics.JUDGED, None if book.judged_minute is None else (book.judged_minute + 1) * 60))


def expected_families(
    minutes: Sequence[int], regions: Sequence[str], expected: Callable[[AlertScope, int, int], list[ExpectedRow]]
) -> Iterator[ManySeries]:
    """What was expected of France and each region in these epoch minutes, at their own time; minutes that are not judged are left out."""
    if not minutes:
        return
    tables = {
        region: {
            row.minute: row
            for row in expected(AlertScope(None if region == FRANCE else region), minutes[0], minutes[-1] + 1)
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
            (written_labels(("region",), (region,)), [getattr(rows.get(minute), name, None) for minute in minutes])
            for region, rows in tables.items()
        ]
        if known := [pair for pair in series if any(value is not None for value in pair[1])]:
            yield ManySeries(metric, known, seconds)


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

    incidents: IncidentParts
    figures: Callable[[], DetectorFigures | None]
    expected: Callable[[AlertScope, int, int], list[ExpectedRow]]
    kafka_up: Callable[[], bool | None]
    metrics_all: bool = False

    def families(self, minutes: Sequence[int]) -> tuple[list[Family], list[ManySeries]]:
        """What is read from Redis and memory; `minutes` are those that are exposed at their own time.

        Raises:
            ServerError: Redis does not answer.
        """
        parts, words = self.incidents, self.incidents.words
        found = [
            *alert_families(parts.store.book(), words, parts.acknowledgements(), metrics_all=self.metrics_all),
            *name_families(words.catalog),
            *singles((metrics.SCREEN_SHIFT, screen_shift(parts.now_ms(), words.shift_seconds))),
        ]
        if (figures := self.figures()) is None:
            return found, []
        found += singles(
            (metrics.DETECTOR_LOADING, int(figures.judged_to is None)), (metrics.DETECTOR_FAILURES, figures.failures)
        )
        return found, list(expected_families(minutes, [one.code for one in words.catalog.regions], self.expected))

    def always(self) -> list[Family]:
        """What does not need Redis."""
        return list(singles((metrics.KAFKA_UP, self.kafka_up())))
