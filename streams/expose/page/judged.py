"""What the page asks of the detector and of the archive: expectations, alerts, earlier days. All of it may be absent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streams.catalog import Catalog
from streams.expose.incidents import IncidentParts
from streams.expose.page.beside import EarlierDays
from streams.expose.page.curves import Lines
from streams.expose.page.grid import Grid
from streams.expose.page.picture import TABLE_MINUTES, Hope
from streams.expose.scope import Scope
from streams.incidents import AlertBook
from streams.observe import ExpectedRow
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


def judged_scope(scope: Scope) -> AlertScope | None:
    """The detector's name of a page's scope, None where it is not judged: academies."""
    if scope.kind == "academy":
        return None
    if scope.kind == "project":
        return AlertScope(project=scope.code)
    return AlertScope(region=scope.code or None, service=scope.service)


def _hope(rows: Sequence[ExpectedRow]) -> Hope | None:
    known = [row for row in rows if row.expected is not None and row.observed is not None]
    if not known or known[-1] is not rows[-1]:
        return None  # not of the last minutes
    lately = known[-max(1, TABLE_MINUTES // known[-1].step_minutes) :]
    minutes = sum(row.step_minutes for row in lately)
    expected = sum(row.expected or 0.0 for row in lately)
    observed = sum(row.observed or 0.0 for row in lately)
    ratio = round(observed / expected, 3) if expected > 0 else None
    return Hope(round(expected * TABLE_MINUTES / minutes, 2), ratio, lately[-1].learning)


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
    known = [row for row in rows if row.expected is not None and row.observed is not None]
    row = known[-1] if known else None
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
