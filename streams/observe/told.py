"""From what the judges tell to the alerts that people see: figures, what drives them, what was planned. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.incidents import NOW_MINUTES, AlertRecord, Driver
from streams.watch import (
    AlertScope,
    Judge,
    Maintenance,
    Measure,
    Part,
    Told,
    drivers,
    level_of,
    normal_since,
    planned_because,
    sums,
)


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
        now = sums(judge, told.series, max(told.start, told.until - NOW_MINUTES), told.until)
        start_ms = self._clock_ms(told.start)
        normal = normal_since(told.kind, told.start, told.until)
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
            score=round(told.score, 2),
            usual_score=round(told.usual, 2),
            planned=self._planned(told, scope),
            last_rentree=judge.last_rentree(told.series, told.start, told.until),
            drivers=tuple(_driver(part) for part in drivers(self.judges, series, told, self.project_regions)),
            observed_now=round(now.observed, 1),
            expected_now=round(now.expected, 1),
            normal_since_ms=None if normal is None else self._clock_ms(normal),
        )

    def _clock_ms(self, minute: int) -> int:
        return (minute - self.shift_minutes) * 60_000

    def _planned(self, told: Told, scope: AlertScope) -> str | None:
        region = scope.region or self.project_regions.get(scope.project or "")
        return planned_because(self.maintenances, told.kind, told.start, until=told.until, scope=scope, region=region)


def _driver(part: Part) -> Driver:
    scope, sums = part.scope, part.sums
    ratio = round(sums.observed / sums.expected, 3) if sums.expected > 0 else None
    return Driver(scope.region, scope.service, scope.project, round(sums.observed, 1), round(sums.expected, 1), ratio)


def merged_measures(records: Sequence[AlertRecord]) -> list[AlertRecord]:
    """One alert a place: where a scope's events and visits both tell, the one that began first."""
    best: dict[str, AlertRecord] = {}
    for record in sorted(records, key=lambda one: (one.start_ms, one.measure != Measure.VISITS)):
        best.setdefault(record.place, record)
    return list(best.values())
