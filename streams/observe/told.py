"""From what the judges tell to the alerts that people see: figures, what drives them, what was planned. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streams.live import AlertRecord, Driver
from streams.observe.judging import Judge, Told
from streams.observe.maintenances import Maintenance, planned_because
from streams.observe.series import Measure, Series
from streams.watch import Array, Kind, Scope

#: Parts that are named, and how far one deviates at least to be named.
DRIVERS_MAX = 5
DRIVER_RATIO = {Kind.SURGE: 1.05, Kind.DROP: 0.95, Kind.SILENCE: 0.5}

NATIONAL, REGION, SERVICE, PROJECT = "national", "region", "service", "project"


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over rows that are measured and expected."""

    observed: float
    expected: float
    lower: float
    upper: float


def level_of(scope: Scope) -> str:
    """`national`, `region`, `service` or `project`."""
    if scope.project is not None:
        return PROJECT
    if scope.service is not None:
        return SERVICE
    return NATIONAL if scope.region is None else REGION


def sums(judge: Judge, series: int, first: int, end: int) -> Sums:
    """What a series of a judge counted from minute `first` to `end`, as far back as bands are kept."""
    _first, values = judge.bands.between(first, end)
    rows = values[:, series]
    known = np.isfinite(rows[0]) & np.isfinite(rows[1])
    observed, expected, _lower, _upper = rows[:, known].sum(axis=1)
    lower, upper = bounds_of_sum(rows[1, known], rows[2, known], rows[3, known], judge.panel.least.score_min)
    return Sums(float(observed), float(expected), lower, upper)


def bounds_of_sum(expected: Array, lower: Array, upper: Array, score: float) -> tuple[float, float]:
    """Between which a sum of rows is usual, from the bounds of each, which are `score` standard deviations wide (as logarithms).

    What counting explains of a row's width averages out over the rows; what remains is the level of the day, which all rows share.
    """
    whole = float(expected.sum())
    if whole <= 0:
        return 0.0, float(upper.sum())
    counting = score**2 / (expected + 0.5)
    bounds = []
    for sign, bound in ((-1.0, lower), (1.0, upper)):
        told = bound > 0
        square = np.log(np.maximum(bound[told], 1e-9) / np.maximum(expected[told], 1e-9)) ** 2 - counting[told]
        shared = float((np.maximum(square, 0.0) * expected[told]).sum() / max(float(expected[told].sum()), 1e-9))
        bounds.append(whole * float(np.exp(sign * np.sqrt(score**2 / (whole + 0.5) + shared))))
    return max(bounds[0], float(lower.sum())), min(bounds[1], float(upper.sum()))


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes records. `judges` are those of all groups; `shift_minutes` is archive time minus clock."""

    judges: Sequence[Judge]
    maintenances: Sequence[Maintenance]
    project_regions: Mapping[str, str | None]
    shift_minutes: int

    def record(self, judge: Judge, told: Told) -> AlertRecord:
        """The record of an alert that a judge tells."""
        series = judge.group.series[told.series]
        scope = series.scope
        figures = sums(judge, told.series, told.start, told.until)
        start_ms = self._clock_ms(told.start)
        where = f"{told.kind}:{scope.name}:{start_ms}"
        return AlertRecord(
            id=where,
            kind=told.kind.value,
            scope=level_of(scope),
            region=scope.region,
            service=scope.service,
            project=scope.project,
            measure=series.measure.value,
            start_ms=start_ms,
            raised_ms=self._clock_ms(told.raised),
            until_ms=self._clock_ms(told.until),
            end_ms=self._clock_ms(told.until) if told.is_over else None,
            observed=round(figures.observed, 1),
            expected=round(figures.expected, 1),
            lower=round(figures.lower, 1),
            upper=round(figures.upper, 1),
            learning=told.learning,
            planned=self._planned(told, scope),
            last_rentree=judge.last_rentree(told.series, told.start, told.until),
            drivers=tuple(self._drivers(series, told)),
        )

    def _clock_ms(self, minute: int) -> int:
        return (minute - self.shift_minutes) * 60_000

    def _planned(self, told: Told, scope: Scope) -> str | None:
        if told.kind is Kind.SURGE:
            return None
        region = scope.region or self.project_regions.get(scope.project or "")
        return planned_because(self.maintenances, told.start, told.until, scope, region)

    def _drivers(self, alert: Series, told: Told) -> list[Driver]:
        level = level_of(alert.scope)
        if level not in (NATIONAL, REGION):
            return []
        found = []
        for judge in self.judges:
            for number, series in enumerate(judge.group.series):
                if self._is_part(alert, level, series):
                    found.append((sums(judge, number, told.start, told.until), series.scope))
        sign = 1.0 if told.kind is Kind.SURGE else -1.0
        bound = DRIVER_RATIO[told.kind]
        named = [
            (part, scope)
            for part, scope in found
            if part.expected > 0 and sign * (part.observed - bound * part.expected) > 0
        ]
        named.sort(key=lambda pair: (sign * (pair[0].expected - pair[0].observed), pair[1].name))
        return [_driver(part, scope) for part, scope in named[:DRIVERS_MAX]]

    def _is_part(self, alert: Series, level: str, series: Series) -> bool:
        scope = series.scope
        if level == NATIONAL:
            return level_of(scope) == REGION and series.measure is alert.measure
        if level_of(scope) == SERVICE:
            return scope.region == alert.scope.region
        of_region = self.project_regions.get(scope.project or "") == alert.scope.region
        return scope.project is not None and of_region and series.measure is alert.measure


def _driver(part: Sums, scope: Scope) -> Driver:
    ratio = round(part.observed / part.expected, 3) if part.expected > 0 else None
    return Driver(scope.region, scope.service, scope.project, round(part.observed, 1), round(part.expected, 1), ratio)


def merged_measures(records: Sequence[AlertRecord]) -> list[AlertRecord]:
    """One alert a place: where a scope's events and visits both tell, the one that began first."""
    best: dict[str, AlertRecord] = {}
    for record in sorted(records, key=lambda one: (one.start_ms, one.measure != Measure.VISITS)):
        best.setdefault(record.place, record)
    return list(best.values())
