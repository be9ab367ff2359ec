"""Where an incident leads: the page and the board of its scope at its time, what to do, the figures as JSON. Pure.

Addresses begin at the observer's own, without a slash in front, so that they hold behind any prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from streams.clock import iso_utc
from streams.expose.spans import SPANS
from streams.incidents import ALERT_NAMES, AlertRecord

_MINUTE_MS = 60_000
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
    end_ms = now_ms if alert.end_ms is None else alert.end_ms + MARGIN_MINUTES * _MINUTE_MS
    minutes = (end_ms - alert.start_ms) // _MINUTE_MS + (0 if alert.end_ms is None else MARGIN_MINUTES)
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
    region = alert.region or project_regions.get(alert.project or "")
    variables = {"var-region": region, "var-service": alert.service, "var-project": alert.project}
    times = {
        "from": str(alert.start_ms - AROUND_MINUTES * _MINUTE_MS),
        "to": "now" if alert.end_ms is None else str(alert.end_ms + AROUND_MINUTES * _MINUTE_MS),
    }
    asked = urlencode({**times, **{name: code for name, code in variables.items() if code}})
    boards = f"{grafana_url.rstrip('/')}/" if grafana_url else ""
    return Links(
        page=f"?{urlencode(shown)}" if shown else "./",
        board=f"{boards}{_FRANCE if alert.scope == 'national' else _PLACE}?{asked}",
        runbook=f"runbooks/{ALERT_NAMES.get(alert.kind, '')}",
        json=f"api/v1/incidents/{quote(alert.id, safe='')}",
    )
