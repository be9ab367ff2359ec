"""Alerts and expectations as rows, the same for the API and for `vigie alerts`; which of them somebody asks for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import quote, urlencode

from streams.clock import MINUTE_MS, iso_utc
from streams.errors import InputError
from streams.expose.alert_french import Words
from streams.expose.minutes_query import read_time
from streams.expose.spans import SPANS
from streams.incidents import ALERT_NAMES, Driver
from streams.live import AlertBook, AlertRecord

RUNNING, ENDED, ALL = STATES = ("running", "ended", "all")
#: Without `from`, expectations of the last two hours.
EXPECTED_MINUTES = 120


@dataclass(frozen=True, slots=True)
class DriverRow(Driver):
    """A part of the alert's scope that deviates most, over the same minutes."""

    scope: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert, with its figures as judged: sums over the minutes from `start` to `end` (while it runs: to the last judged minute).

    `raised` is when it was raised. `measure` says what was counted. `lower` and `upper` are the sums of the bounds. `planned` names the
    maintenance it lies in. `normal_since`: from when on its level is learned as the new normal. `explanation` is in French.
    """

    id: str
    kind: str
    scope: str
    region: str | None
    service: str | None
    project: str | None
    measure: str
    start: str
    raised: str
    end: str | None
    observed: float
    expected: float
    lower: float
    upper: float
    ratio: float | None
    learning: bool
    planned: str | None
    normal_since: str | None
    drivers: list[DriverRow]
    explanation: str


@dataclass(frozen=True, slots=True)
class AlertsAnswer:
    """Newest start first. `judged_to` is the time up to which some observer judged, null before the first minute."""

    judged_to: str | None
    alerts: list[AlertRow]


@dataclass(frozen=True, slots=True)
class AcknowledgedRow:
    """Who has taken it in charge, until when, and what was said."""

    who: str
    until: str
    comment: str


@dataclass(frozen=True, slots=True)
class ExplainedRow:
    """How many other alerts an incident explains (`alerts`), by what they are of: those that run while it runs, then all."""

    alerts: int
    national: int
    regions: int
    projects: int
    services: int


def alert_row(alert: AlertRecord, words: Words, *, full: bool = False) -> AlertRow:
    """One alert for a reader."""
    return AlertRow(
        alert.id,
        alert.kind,
        alert.scope,
        alert.region,
        alert.service,
        alert.project,
        alert.measure,
        iso_utc(alert.start_ms),
        iso_utc(alert.raised_ms),
        None if alert.end_ms is None else iso_utc(alert.end_ms),
        alert.observed,
        alert.expected,
        alert.lower,
        alert.upper,
        None if alert.ratio is None else round(alert.ratio, 3),
        alert.learning,
        alert.planned,
        None if alert.normal_since_ms is None else iso_utc(alert.normal_since_ms),
        [
            DriverRow(**asdict(one), scope="project" if one.project else "service" if one.service else "region")
            for one in alert.drivers
        ],
        words.explanation(alert) if full else words.sentence(alert),
    )


def chosen(alerts: Sequence[AlertRecord], state: str, from_ms: int | None, to_ms: int | None) -> list[AlertRecord]:
    """Those of a state that run or ran at some time in `from <= time < to`.

    Raises:
        InputError: no such state.
    """
    if state not in STATES:
        raise InputError(f"state: {state[:40]!r} is none; allowed: {', '.join(STATES)}")
    return [
        one
        for one in alerts
        if (state == ALL or (one.end_ms is None) == (state == RUNNING))
        and (to_ms is None or one.start_ms < to_ms)
        and (from_ms is None or one.end_ms is None or one.end_ms > from_ms)
    ]


def read_times(from_text: str | None, to_text: str | None, dashes: str = "") -> tuple[int | None, int | None]:
    """Two bounds in epoch ms; `dashes` stand before their names in an error.

    Raises:
        InputError: one is no time.
    """
    return (
        None if from_text is None else read_time(f"{dashes}from", from_text),
        None if to_text is None else read_time(f"{dashes}to", to_text),
    )


def judged_to(book: AlertBook) -> str | None:
    """The time up to which some observer judged, None before the first minute."""
    return None if book.judged_minute is None else iso_utc((book.judged_minute + 1) * MINUTE_MS)


#: A board shows so much before an incident began, and after it was over.
AROUND_MINUTES = 60
#: The page's curve begins so much before it, and ends so much after it was over.
MARGIN_MINUTES = 15
#: Boards of all of France and of one place.
_FRANCE, _PLACE = "d/vigie-direct/direct", "d/vigie-region/region-et-service"


@dataclass(frozen=True, slots=True)
class Links:
    """`page` and `board` show the scope from before the start on; `runbook` says what to do, `json` is the incident itself.

    `board` is a whole address where the setting grafana_url says where Grafana is, else what follows Grafana's.
    """

    page: str
    board: str
    runbook: str
    json: str


def _page_time(alert: AlertRecord, now_ms: int) -> dict[str, str]:
    """The page's curve: as long as it takes to show how the alert began, and of then where it is over."""
    end_ms = now_ms if alert.end_ms is None else alert.end_ms + MARGIN_MINUTES * MINUTE_MS
    minutes = (end_ms - alert.start_ms) // MINUTE_MS + (0 if alert.end_ms is None else MARGIN_MINUTES)
    default, *longer = SPANS.values()
    found = next((one for one in (default, *longer) if minutes < one.minutes), longer[-1])
    named = {} if found is default else {"duree": found.name}
    return named if alert.end_ms is None else {**named, "fin": iso_utc(end_ms)}


def links_of(
    alert: AlertRecord, project_regions: Mapping[str, str | None], now_ms: int, grafana_url: str | None = None
) -> Links:
    """The links of an alert or of its incident, as of now."""
    place = {"ent": alert.project} if alert.project else {"region": alert.region, "service": alert.service}
    shown = {name: code for name, code in place.items() if code} | _page_time(alert, now_ms)
    variables = {
        "var-region": alert.region or project_regions.get(alert.project or ""),
        "var-service": alert.service,
        "var-project": alert.project,
    }
    times = {
        "from": str(alert.start_ms - AROUND_MINUTES * MINUTE_MS),
        "to": "now" if alert.end_ms is None else str(alert.end_ms + AROUND_MINUTES * MINUTE_MS),
    }
    asked = urlencode({**times, **{name: code for name, code in variables.items() if code}})
    boards = f"{grafana_url.rstrip('/')}/" if grafana_url else ""
    return Links(
        page=f"?{urlencode(shown)}" if shown else "./",
        board=f"{boards}{_FRANCE if alert.scope == 'national' else _PLACE}?{asked}",
        runbook=f"runbooks/{ALERT_NAMES.get(alert.kind, '')}",
        json=f"api/v1/incidents/{quote(alert.id, safe='')}",
    )
