"""Many alerts of one cause told as one, and what drives an alert. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.watch.types import Alert, Kind, Scope

#: Alerts that were raised within so many minutes of each other belong together.
TOGETHER_MINUTES = 15
#: A national alert needs so many regions, or this part of them.
REGIONS_MIN = 3
REGIONS_PART = 0.5
DRIVERS_MAX = 5
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Driver:
    """A part that an alert is made of: `excess` is observed - expected, `share` its part of the whole excess."""

    scope: Scope
    observed: float
    expected: float
    excess: float
    share: float


@dataclass(frozen=True, slots=True)
class RollUp:
    """One alert for many: `level` is `national`, `zone` or `region`, `where` the zone or region (None: the country).

    `members` are the alerts it stands for, those of the largest difference first; `start_ms` is the earliest of them, and the
    id follows from it. `observed` and `expected` are the sums of the members.
    """

    kind: Kind
    level: str
    where: str | None
    start_ms: int
    members: tuple[Alert, ...]
    observed: float
    expected: float

    @property
    def id(self) -> str:
        """Kind, level and start: the same for every observer."""
        return f"{self.kind}:{self.level}{'=' + self.where if self.where else ''}:{self.start_ms}"

    @property
    def ratio(self) -> float | None:
        """observed / expected; None where nothing was expected."""
        return self.observed / self.expected if self.expected > 0 else None


def roll_up(running: Sequence[Alert], zones: Mapping[str, str | None]) -> tuple[tuple[RollUp, ...], tuple[Alert, ...]]:
    """(roll-ups, alerts that stand alone) of the alerts that run; `zones` maps all judged regions to their zone.

    A service that deviates in its region is part of the region's own alert of that kind. Regions that deviate together
    are one national alert, where they are half of all or more; else one of their zone, where they are at least three, and half of it.
    """
    whole = [alert for alert in running if alert.scope.service is None and alert.scope.region is not None]
    others = [alert for alert in running if alert not in whole and not _inside(alert, whole)]
    rolled: list[RollUp] = []
    for kind in Kind:
        alike = [alert for alert in whole if alert.kind is kind]
        for together in _together(alike):
            found, rest = _regions(kind, together, zones)
            rolled += found
            others += rest
    return tuple(rolled), tuple(sorted(others, key=lambda alert: (alert.start_ms, alert.id)))


def drivers(parts: Mapping[Scope, tuple[float, float]], kind: Kind) -> tuple[Driver, ...]:
    """The parts of an alert (services, regions or projects) that make most of it up, largest first.

    `parts` maps a scope to (observed, expected) over the rows of the alert.
    """
    sign = 1.0 if kind is Kind.SURGE else -1.0
    excesses = {scope: observed - expected for scope, (observed, expected) in parts.items()}
    whole = sum(max(sign * excess, 0.0) for excess in excesses.values())
    if whole <= 0:
        return ()
    largest = sorted(excesses.items(), key=lambda item: (-sign * item[1], item[0].name))[:DRIVERS_MAX]
    return tuple(
        Driver(scope, *parts[scope], excess, sign * excess / whole) for scope, excess in largest if sign * excess > 0
    )


def _inside(alert: Alert, whole: Sequence[Alert]) -> bool:
    return any(
        alert.kind is one.kind and alert.scope.service is not None and alert.scope.region == one.scope.region
        for one in whole
    )


def _together(alerts: Sequence[Alert]) -> list[list[Alert]]:
    groups: list[list[Alert]] = []
    for alert in sorted(alerts, key=lambda one: (one.raised_ms, one.id)):
        if groups and alert.raised_ms - groups[-1][-1].raised_ms <= TOGETHER_MINUTES * _MINUTE_MS:
            groups[-1].append(alert)
        else:
            groups.append([alert])
    return groups


def _regions(kind: Kind, together: list[Alert], zones: Mapping[str, str | None]) -> tuple[list[RollUp], list[Alert]]:
    if len(together) >= max(REGIONS_MIN, REGIONS_PART * len(zones)):
        return [_rolled(kind, "national", None, together)], []
    rolled, rest = [], []
    by_zone: dict[str | None, list[Alert]] = {}
    for alert in together:
        by_zone.setdefault(zones.get(alert.scope.region or ""), []).append(alert)
    for zone, alerts in by_zone.items():
        size = sum(other == zone for other in zones.values())
        if zone is not None and len(alerts) >= max(REGIONS_MIN, REGIONS_PART * size):
            rolled.append(_rolled(kind, "zone", zone, alerts))
        else:
            rest += alerts
    return rolled, rest


def _rolled(kind: Kind, level: str, where: str | None, alerts: list[Alert]) -> RollUp:
    members = tuple(sorted(alerts, key=lambda one: (-abs(one.observed - one.expected), one.id)))
    start = min(one.start_ms for one in alerts)
    return RollUp(
        kind, level, where, start, members, sum(one.observed for one in alerts), sum(one.expected for one in alerts)
    )
