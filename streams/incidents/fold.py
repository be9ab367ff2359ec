"""Folds alerts into incidents, and decides for which of them somebody is called. Pure.

An incident is the alert that explains others, and those others. Of two alerts that overlap in time and lie in one another

- the wide one explains the narrow one: its surge a surge, its drop a drop, its silence a silence or a drop;
- but where the narrow one makes up most of what the wide one lacks or has too much, it is the cause, and explains the wide one.

An ENT that lacks visits also explains the services of its region that lack fewer. What is left of a wide alert that is over in its parts
is a part of it for `TAIL_MINUTES`. An alert that nobody is called for explains none that somebody would be called for.

A surge or drop narrower than France waits `HOLD_MINUTES` before anybody is called. A region may be raised minutes before France, or before
the ENT in it that is the cause: one call then says it all.

A viewer's scope is applied before: only alerts that concern the viewer are given. Who is called is decided for all of France.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.incidents.records import AlertRecord

_MINUTE_MS = 60_000
#: What alerts are of, the widest first.
NATIONAL, REGION, PROJECT, SERVICE = LEVELS = ("national", "region", "project", "service")
#: So long after a wider alert is over, what is left of it in its parts is a part of it: France calms down before its last region.
TAIL_MINUTES = 30
#: An alert that began longer before a wider one than this is not explained by it.
LEAD_MINUTES = 60
#: So many minutes after it was raised, what may yet be explained is judged further before somebody is called.
HOLD_MINUTES = 2
#: A part that makes up so much of what a wider alert lacks or has too much is its cause.
CAUSE_SHARE_MIN = 2 / 3
#: A service calls somebody only where so many visits a minute were counted or expected: three instead of one wake nobody.
SERVICE_VISITS_A_MINUTE_MIN = 10.0
#: Kind of a wide alert -> kinds of narrower ones that it explains.
_EXPLAINS: Mapping[str, frozenset[str]] = {
    "surge": frozenset({"surge"}),
    "drop": frozenset({"drop"}),
    "silence": frozenset({"silence", "drop"}),
}
#: Kind of a narrow alert -> kinds of wider ones that it may be the cause of. Where all is silent, no part is the cause.
_CAUSES: Mapping[str, frozenset[str]] = {
    "surge": frozenset({"surge"}),
    "drop": frozenset({"drop"}),
    "silence": frozenset({"drop"}),
}
_LACKS = frozenset({"drop", "silence"})


class Quiet(StrEnum):
    """Why nobody is called for an alert."""

    PLANNED = "planned"  # a maintenance says so
    LEARNING = "learning"  # its series has too little past
    SMALL = "small"  # a service of few visits
    HELD = "held"  # raised so lately that something wider may yet explain it, or something narrower be its cause


def quiet_because(alert: AlertRecord) -> Quiet | None:
    """Why nobody is called for an alert, were it alone; None where somebody is."""
    if alert.planned is not None:
        return Quiet.PLANNED
    if alert.learning:
        return Quiet.LEARNING
    small = max(alert.observed, alert.expected) < SERVICE_VISITS_A_MINUTE_MIN * _minutes(alert)
    return Quiet.SMALL if alert.service is not None and small else None


def _hold_ms(alert: AlertRecord) -> int:
    """How long after it was raised nobody is called. A silence is called for at once: it is news whatever else goes on."""
    return HOLD_MINUTES * _MINUTE_MS if alert.scope != NATIONAL and alert.kind in ("surge", "drop") else 0


@dataclass(frozen=True, slots=True)
class Incident:
    """An alert and those that it explains, the widest first. `quiet`: why nobody is called; None where somebody is.

    `called_before` are those of them that run and were raised before anything explained them: somebody was called, and is told of the
    end. `apart` are the ids of other incidents that run inside its scope, which it does not explain.
    """

    alert: AlertRecord
    quiet: Quiet | None = None
    explains: tuple[AlertRecord, ...] = ()
    called_before: tuple[AlertRecord, ...] = ()
    apart: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """That of its alert."""
        return self.alert.id

    @property
    def is_running(self) -> bool:
        """Whether its alert is."""
        return self.alert.end_ms is None

    @property
    def severity(self) -> str:
        """`critical`, or `warning` for a service and for an ENT that never sent anything."""
        return "warning" if self.alert.scope == SERVICE or self.alert.kind == "never_seen" else "critical"

    @property
    def counts(self) -> Mapping[str, int]:
        """How many alerts it explains by level: those that run while it runs, then all."""
        found = Counter(one.scope for one in self.explains if one.end_ms is None or not self.is_running)
        return {level: found[level] for level in LEVELS}


def fold(alerts: Iterable[AlertRecord], project_regions: Mapping[str, str | None], now_ms: int) -> tuple[Incident, ...]:
    """All incidents of these alerts: those that run first, of them those that somebody is called for, the widest and largest first; then
    those that are over, the newest first.

    `project_regions`: ENT -> the region it lies in; `now_ms` the time up to which minutes are judged.
    """
    return _Folding(tuple(alerts), project_regions, now_ms).incidents()


class _Folding:
    def __init__(self, alerts: Sequence[AlertRecord], project_regions: Mapping[str, str | None], now_ms: int) -> None:
        # In an order of their own: of several that explain as much, every observer must take the same.
        self._alerts = alerts = sorted(alerts, key=lambda one: (one.start_ms, one.id))
        self._project_regions = project_regions
        self._now_ms = max([now_ms, *(one.until_ms for one in alerts)])
        self._regions = {one.id: one.region or project_regions.get(one.project or "") for one in alerts}
        self._quiet = {one.id: quiet_because(one) is not None for one in alerts}
        # By level and region, so that a storm of hundreds is not compared each with each.
        self._at: dict[tuple[str, str | None], list[AlertRecord]] = {}
        for one in alerts:
            self._at.setdefault((one.scope, self._regions[one.id]), []).append(one)

    def incidents(self) -> tuple[Incident, ...]:
        """See `fold`."""
        causes = {one.id: found for one in self._alerts if (found := self._cause(one)) is not None}
        parents = {
            one.id: causes.get(one.id) or next((a for a in self._explainers(one) if a.id not in causes), None)
            for one in self._alerts
        }
        members: dict[str, list[AlertRecord]] = {}
        for one in self._alerts:
            root = one
            while (parent := parents[root.id]) is not None:
                root = parent
            members.setdefault(root.id, []).append(one)
        heads = [one for one in self._alerts if parents[one.id] is None]
        running = [one for one in heads if one.end_ms is None]
        return tuple(sorted((self._incident(one, members[one.id], running) for one in heads), key=_order))

    def _incident(self, head: AlertRecord, members: Sequence[AlertRecord], running: Sequence[AlertRecord]) -> Incident:
        explains = sorted((one for one in members if one is not head), key=_size)
        before = tuple(one for one in explains if one.end_ms is None and self._was_called(one))
        apart = tuple(one.id for one in running if one is not head and self._contains(head, one))
        new = [one for one in (head, *explains) if one.end_ms is None and one not in before and not self._quiet[one.id]]
        is_held = head in new and all(self._now_ms < one.raised_ms + _hold_ms(one) for one in new)
        return Incident(head, quiet_because(head) or (Quiet.HELD if is_held else None), tuple(explains), before, apart)

    def _was_called(self, alert: AlertRecord) -> bool:
        """Whether nothing explained it yet when it was raised and its hold was over."""
        reasons = [*self._explainers(alert), *filter(None, [self._cause(alert)])]
        return not self._quiet[alert.id] and all(one.raised_ms > alert.raised_ms + _hold_ms(alert) for one in reasons)

    def _explainers(self, alert: AlertRecord) -> list[AlertRecord]:
        """Those that explain an alert as a part of theirs, the best first."""
        region = self._regions[alert.id]
        places = [(level, None if level == NATIONAL else region) for level in (NATIONAL, REGION)]
        wider = [
            one
            for place in places
            for one in sorted(self._at.get(place, ()), key=lambda one: (one.end_ms is not None, -one.start_ms))
            if self._contains(one, alert) and alert.kind in _EXPLAINS.get(one.kind, ()) and self._goes_with(one, alert)
        ]
        if alert.scope != SERVICE or alert.kind not in _LACKS:
            return wider
        lacking = [
            one
            for one in self._at.get((PROJECT, region), ())
            if one.kind in _LACKS and _lack(one) >= _lack(alert) and self._goes_with(one, alert)
        ]
        return [*wider, *sorted(lacking, key=_size)]

    def _cause(self, wide: AlertRecord) -> AlertRecord | None:
        """The alert of a part that makes up most of a wider one."""
        part_level = {NATIONAL: REGION, REGION: PROJECT}.get(wide.scope)
        deviation = wide.observed - wide.expected
        if part_level is None or not deviation:
            return None
        for driver in wide.drivers:
            if (driver.observed - driver.expected) / deviation < CAUSE_SHARE_MIN or driver.service is not None:
                continue
            for one in self._at.get((part_level, driver.region or self._project_regions.get(driver.project or "")), ()):
                is_it = (one.region, one.project) == (driver.region, driver.project)
                if is_it and wide.kind in _CAUSES.get(one.kind, ()) and self._goes_with(one, wide):
                    return one
        return None

    def _goes_with(self, reason: AlertRecord, alert: AlertRecord) -> bool:
        """Whether an alert overlaps with its reason, or outlasts it by little, and whether somebody would be called for either."""
        reason_end = self._now_ms if reason.end_ms is None else reason.end_ms
        alert_end = self._now_ms if alert.end_ms is None else alert.end_ms
        return (
            reason is not alert
            and alert.start_ms < reason_end
            and reason.start_ms < alert_end
            and alert.start_ms >= reason.start_ms - LEAD_MINUTES * _MINUTE_MS
            and alert_end - reason_end <= TAIL_MINUTES * _MINUTE_MS
            and (not self._quiet[reason.id] or self._quiet[alert.id])
        )

    def _contains(self, wide: AlertRecord, narrow: AlertRecord) -> bool:
        lies_in = wide.scope == NATIONAL or (wide.scope == REGION and wide.region == self._regions[narrow.id])
        return lies_in and LEVELS.index(wide.scope) < LEVELS.index(narrow.scope)


def _minutes(alert: AlertRecord) -> float:
    return max(1.0, (alert.until_ms - alert.start_ms) / _MINUTE_MS)


def _lack(alert: AlertRecord) -> float:
    """Counts a minute that were expected and did not come."""
    return (alert.expected - alert.observed) / _minutes(alert)


def _size(alert: AlertRecord) -> tuple[int, float]:
    """The widest first, then those of most visits."""
    return LEVELS.index(alert.scope), -abs(alert.observed - alert.expected)


def _order(incident: Incident) -> tuple[bool, bool, int, float]:
    if not incident.is_running:
        return True, False, 0, -incident.alert.start_ms
    return False, incident.quiet not in (None, Quiet.HELD), *_size(incident.alert)
