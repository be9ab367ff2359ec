"""What the page asks of the detector and of the archive: expectations, alerts, earlier days. All of it may be absent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from streams.catalog import Catalog
from streams.expose.alert_french import Words
from streams.expose.incidents import IncidentParts, Telling
from streams.expose.page.board import JudgedParts
from streams.expose.page.curves import EarlierDays, Lines
from streams.expose.page.picture import TABLE_MINUTES, Hope, Picture
from streams.expose.scope import Scope, incidents_for, judged_scope
from streams.expose.spans import Grid
from streams.incidents import AlertBook, AlertRecord, Incident
from streams.observe import ExpectedRow
from streams.observe.series import SERVICE_ROWS
from streams.watch import AlertScope

#: Ended alerts stay on the page for so long.
ENDED_HOURS = 12
#: Rows this old tell nothing about now: judging stands still.
HOPE_AGE_MINUTES_MAX = 15


@dataclass(frozen=True, slots=True)
class Sources:
    """`expected` gives judged rows of a scope, in minutes of the clock; `judged_to` the minute before which all is judged (None: it loads).

    `lines` are those of the curve; `earlier` is None without an archive. `incidents` is what it takes to tell those.
    """

    expected: Callable[[AlertScope, int, int], Sequence[ExpectedRow]]
    judged_to: Callable[[], int | None]
    earlier: EarlierDays | None
    lines: Lines
    incidents: IncidentParts

    def hopes(self, catalog: Catalog, last: int) -> tuple[dict[str, Hope], dict[str, Hope]]:
        """What was expected of each region and of each ENT in the last settled minutes."""
        first, end = last - HOPE_AGE_MINUTES_MAX, last + 1
        projects = {code: _hope(self.expected(AlertScope(project=code), first, end)) for code in catalog.project_codes}
        return self.region_hopes(catalog, last), _known(projects)

    def region_hopes(self, catalog: Catalog, last: int, service: str | None = None) -> dict[str, Hope]:
        """What was expected of each region, or of a service in each, in the last settled minutes."""
        first, end = last - HOPE_AGE_MINUTES_MAX, last + 1
        asked = {code: self.expected(AlertScope(code, service), first, end) for code in catalog.region_codes}
        return _known({code: _hope(rows) for code, rows in asked.items()})

    def lately(self, now_ms: int) -> AlertBook:
        """All alerts that run, and those that ended lately.

        Raises:
            ServerError: Redis does not answer.
            StateError: it holds alerts of another version.
        """
        since_ms, book = now_ms - ENDED_HOURS * 3_600_000, self.incidents.store.book()
        lately = tuple(one for one in book.alerts if one.end_ms is None or one.end_ms >= since_ms)
        return AlertBook(book.judged_minute, lately)


def _hope(rows: Sequence[ExpectedRow]) -> Hope | None:
    known = _judged(rows)
    if not known or known[-1] is not rows[-1]:
        return None  # not of the last minutes
    lately = known[-max(1, TABLE_MINUTES // known[-1].step_minutes) :]
    minutes = sum(row.step_minutes for row in lately)
    expected = sum(row.expected or 0.0 for row in lately)
    observed = sum(row.observed or 0.0 for row in lately)
    ratio = round(observed / expected, 3) if expected > 0 else None
    return Hope(round(expected * TABLE_MINUTES / minutes, 2), ratio, lately[-1].learning)


def _judged(rows: Sequence[ExpectedRow]) -> list[ExpectedRow]:
    return [row for row in rows if row.expected is not None and row.observed is not None]


def _known(hopes: Mapping[str, Hope | None]) -> dict[str, Hope]:
    return {code: hope for code, hope in hopes.items() if hope is not None}


def band(rows: Sequence[ExpectedRow], grid: Grid) -> dict[str, object] | None:
    """Expectations a minute in the slots of a grid; None where none of it is known."""
    first, end = grid.first, grid.end
    lines = {name: np.full(end - first, np.nan) for name in ("expected", "lower", "upper")}
    for row in rows:
        minutes = slice(max(0, row.minute - first), max(0, min(end, row.minute + row.step_minutes) - first))
        for name, line in lines.items():
            value = getattr(row, name)
            line[minutes] = np.nan if value is None else value / row.step_minutes
    if not np.isfinite(lines["expected"]).any():
        return None
    return {**{name: grid.means(line) for name, line in lines.items()}, "learning": rows[-1].learning}


def compared(rows: Sequence[ExpectedRow], last: int) -> dict[str, object] | None:
    """What goes beside the figure of minute `last`: that minute's own row, or the last row of several minutes; None until it is judged."""
    row = next(reversed(_judged(rows)), None)
    if row is None or row.minute < (last if row.step_minutes == 1 else last - HOPE_AGE_MINUTES_MAX):
        return None
    return {
        "first": row.minute,
        "minutes": row.step_minutes,
        "visits": row.observed,
        "expected": row.expected,
        "lower": row.lower,
        "upper": row.upper,
        "learning": row.learning,
    }


_NOT_HERE = "L'attendu se calcule par région et par ENT, pas par académie"


def told(sources: Sources, picture: Picture, scope: Scope, grid: Grid) -> JudgedParts:
    """Ask both; what cannot be had is None, with a note in French where a person would wonder. The grid may end before now."""
    where = judged_scope(scope)
    now = picture.settled_minute
    rows: Sequence[ExpectedRow] = ()
    found, note = None, None
    if where is None:
        note = _NOT_HERE
    elif picture.judged_to is None:
        note = "Pas encore d'attendu : le détecteur se prépare"
    elif now is not None:
        found = band(
            sources.expected(where, grid.first - SERVICE_ROWS, grid.end), grid
        )  # a row may begin before the curve
        rows = sources.expected(where, now - HOPE_AGE_MINUTES_MAX, now + 1)
        note = None if found else "Pas encore d'attendu : aucun jour comparable"
    return JudgedParts(
        found,
        None if now is None else compared(rows, now),
        note,
        None if now is None else _beside(sources, scope, now),
        None if picture.book is None else incidents(picture.book, picture, scope, sources.incidents),
        () if picture.book is None else spans(picture.book, where),
        _service_hopes(sources, picture, scope),
    )


def _service_hopes(sources: Sources, picture: Picture, scope: Scope) -> Mapping[str, Hope] | None:
    if scope.service is None:
        return None
    if picture.judged_to is None:
        return {}
    return sources.region_hopes(sources.incidents.words.catalog, picture.judged_to - 1, scope.service)


def _beside(sources: Sources, scope: Scope, minute: int) -> list[dict[str, Any]] | None:
    return None if sources.earlier is None else [asdict(one) for one in sources.earlier.beside(scope, minute)]


#: Shown at most: running incidents, ended ones, and parts of each. How many there are is told beside them.
INCIDENTS_MAX, PARTS_MAX = 40, 20


def incidents(book: AlertBook, picture: Picture, scope: Scope, parts: IncidentParts) -> dict[str, Any]:
    """As JSON: how many run, how many ended, from how many alerts; of each the first ones."""
    telling = Telling(parts.words, picture.acknowledgements, picture.read_ms, parts.grafana_url)
    found = incidents_for(scope, book, parts.words.catalog)
    running, ended = ([one for one in found if one.is_running == wanted] for wanted in (True, False))
    return {
        "running": len(running),
        "ended": len(ended),
        "alerts": sum(1 + sum(one.counts.values()) for one in running),
        "acknowledgementsKnown": picture.acknowledgements is not None,
        "list": [
            _shown(one, telling, picture.settled_ms or picture.read_ms)
            for one in (*running[:INCIDENTS_MAX], *ended[:INCIDENTS_MAX])
        ],
    }


def _shown(incident: Incident, telling: Telling, now_ms: int) -> dict[str, Any]:
    row = telling.row(incident)
    alert = incident.alert
    known = telling.acknowledged(incident)
    counted = [one for one in incident.explains if one.end_ms is None or not incident.is_running]  # in `explains`
    explanation = telling.words.sentence(alert).partition(" : ")[2]
    return {
        "id": row.id,
        "kind": alert.kind,
        "title": row.title,
        "explanation": explanation[:1].upper() + explanation[1:],
        "severity": row.severity,
        "called": row.called,
        "quiet": row.quiet,
        "planned": alert.planned,
        "learning": alert.learning,
        **_times(alert),
        "seconds": max(0, (now_ms - alert.start_ms) // 1000),
        "region": alert.region,
        "service": alert.service,
        "project": alert.project,
        "ratio": alert.ratio,
        "ratioNow": alert.ratio_now,
        "explained": telling.words.explained(incident),
        "explains": asdict(row.explains),
        "parts": [_part(one, telling.words) for one in counted[:PARTS_MAX]],
        "apart": len(incident.apart),
        "acknowledged": None
        if known is None
        else {"by": known.by, "untilMs": known.until_ms, "comment": known.comment},
        "links": asdict(row.links),
    }


def _part(alert: AlertRecord, words: Words) -> dict[str, Any]:
    return {"id": alert.id, "title": words.title(alert), "kind": alert.kind, "ratio": alert.ratio, **_times(alert)}


def _times(alert: AlertRecord) -> dict[str, int | None]:
    return {
        "startMinute": alert.start_ms // 60_000,
        "endMinute": None if alert.end_ms is None else alert.end_ms // 60_000,
    }


def spans(book: AlertBook, here: AlertScope | None) -> Sequence[Sequence[int | None]]:
    """First minute and the one after the last (None: it runs) of all alerts of a scope itself, part of a wider incident or not."""
    if here is None:
        return ()
    return [
        tuple(_times(one).values())
        for one in book.alerts
        if (one.region, one.service, one.project) == (here.region, here.service, here.project)
    ]
