"""The last hours, minute by minute, as the page needs them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streams.count import Cut
from streams.expose.codes import Codes
from streams.expose.scope import Scope
from streams.live import MinuteCounts

_Counts = Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class MinuteFigures:
    """Counts of one minute by cut and codes; `all_events` and `all_visits` are France's."""

    by: Mapping[Cut, _Counts]
    region_events: Mapping[str, int]
    service_events: Mapping[str, int]
    service_visits: Mapping[str, int]
    all_events: int
    all_visits: int
    late: int

    @classmethod
    def of(cls, minute: MinuteCounts, codes: Codes) -> MinuteFigures:
        """From what Redis holds."""
        cuts = (
            Cut.EVENTS,
            Cut.VISITS,
            Cut.SERVICE_VISITS,
            Cut.PROJECT,
            Cut.VISIT_PROJECT,
            Cut.ACADEMY,
            Cut.VISIT_ACADEMY,
        )
        by = {cut: codes.listed_counts(cut, minute.counts) for cut in cuts}
        events, visits = by[Cut.EVENTS], by[Cut.VISITS]
        return cls(
            by,
            _summed(events, 0),
            _summed(events, 1),
            _summed(by[Cut.SERVICE_VISITS], 1),
            sum(events.values()),
            sum(visits.values()),
            sum(codes.listed_counts(Cut.LATE, minute.counts).values()),
        )

    def of_scope(self, scope: Scope) -> tuple[int, int]:
        """Events and visits of a scope; with a service, the visits of that service."""
        if scope.kind == "project":
            return self._pair(Cut.PROJECT, Cut.VISIT_PROJECT, (scope.code,))
        if scope.kind == "academy":
            return self._pair(Cut.ACADEMY, Cut.VISIT_ACADEMY, (scope.code,))
        if scope.kind == "region" and scope.service:
            return self._pair(Cut.EVENTS, Cut.SERVICE_VISITS, (scope.code, scope.service))
        if scope.kind == "region":
            return self.region_events.get(scope.code, 0), self.by[Cut.VISITS].get((scope.code,), 0)
        if scope.service:
            return self.service_events.get(scope.service, 0), self.service_visits.get(scope.service, 0)
        return self.all_events, self.all_visits

    def _pair(self, events: Cut, visits: Cut, codes: tuple[str, ...]) -> tuple[int, int]:
        return self.by[events].get(codes, 0), self.by[visits].get(codes, 0)


def _summed(counts: _Counts, position: int) -> dict[str, int]:
    sums: dict[str, int] = {}
    for codes, number in counts.items():
        sums[codes[position]] = sums.get(codes[position], 0) + number
    return sums


def added(figures: Iterable[MinuteFigures], cut: Cut) -> dict[tuple[str, ...], int]:
    """The counts of one cut over several minutes."""
    sums: dict[tuple[str, ...], int] = {}
    for minute in figures:
        for codes, number in minute.by[cut].items():
            sums[codes] = sums.get(codes, 0) + number
    return sums
