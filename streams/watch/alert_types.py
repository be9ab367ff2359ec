"""Values of the detector that other rooms read: what is judged together, what an alert says, which stops were planned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from streams.watch.comparable_days import KeysOf

#: Counts, expectations, scores: float64 unless said otherwise; NaN is "not measured" or "nothing to expect from".
Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Index = NDArray[np.int64]


class AlertKind(StrEnum):
    """What an alert says."""

    SURGE = "surge"
    DROP = "drop"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True, order=True)
class AlertScope:
    """What a series counts: a region, a service of a region, or a project. All None: everything."""

    region: str | None = None
    service: str | None = None
    project: str | None = None

    @property
    def name(self) -> str:
        """`region=44,service=NOTES`, the part of an alert's id that says where; `all` without any."""
        parts = (("region", self.region), ("service", self.service), ("project", self.project))
        return ",".join(f"{key}={value}" for key, value in parts if value is not None) or "all"


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How much it takes to raise an alert.

    `budget_a_month`: false alerts that a series may cost a month, which sets the score it takes (`streams.watch.standard`).
    `ratio_surge` and `ratio_drop` are observed / expected; `counts_min` the counts that must be too many or too few; `silence_min` the
    counts that were expected while nothing came.
    """

    name: str
    budget_a_month: float
    ratio_surge: float
    ratio_drop: float
    counts_min: float
    silence_min: float


SENSITIVITIES = {
    one.name: one
    for one in (
        Sensitivity("low", 0.25, ratio_surge=1.5, ratio_drop=0.67, counts_min=20.0, silence_min=30.0),
        Sensitivity("normal", 2.0, ratio_surge=1.2, ratio_drop=0.8, counts_min=10.0, silence_min=15.0),
        Sensitivity("high", 8.0, ratio_surge=1.12, ratio_drop=0.88, counts_min=6.0, silence_min=10.0),
    )
}


class Measure(StrEnum):
    """What a series counts."""

    EVENTS = "events"
    VISITS = "visits"


@dataclass(frozen=True, slots=True)
class Series:
    """One judged series; `row` is its place in the table of counts. Events of a scope come just before its visits."""

    scope: AlertScope
    measure: Measure
    row: int


@dataclass(frozen=True, slots=True)
class Group:
    """What one panel judges. `name` is for logs and bands: `France`, a region's code, or that and `/services`."""

    name: str
    zone: ZoneInfo
    keys_of: KeysOf
    step_minutes: int
    series: tuple[Series, ...]

    @property
    def rows(self) -> Index:
        """Places of its series in the table of counts."""
        return np.array([one.row for one in self.series], np.int64)


#: After the planned end a source has so long to come back before somebody is called.
GRACE_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One planned stop of the epoch minutes `first` to `end` (left out, archive time).

    It is of projects, of regions, or of services (in these regions, or everywhere).
    """

    first: int
    end: int
    label: str
    projects: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    services: tuple[str, ...] = ()

    def covers(self, scope: AlertScope, region: str | None) -> bool:
        """Whether it stops this scope; `region` is the one that it lies in, a project's too."""
        if scope.project is not None and scope.project in self.projects:
            return True
        if self.services:
            return scope.service in self.services and (not self.regions or region in self.regions)
        return region is not None and region in self.regions


def planned_because(
    maintenances: Sequence[Maintenance],
    kind: AlertKind,
    start: int,
    *,
    until: int,
    scope: AlertScope,
    region: str | None,
) -> str | None:
    """The label of the stop that a drop or silence from minute `start` to `until` lies in, None where it lies in none."""
    for one in maintenances:
        inside = one.first <= start and until <= one.end + GRACE_MINUTES
        if kind is not AlertKind.SURGE and inside and one.covers(scope, region):
            return one.label
    return None


#: Sudden deviations, against the day so far; minutes.
SUDDEN_MINUTES = (1, 2, 3, 5, 10, 15, 30)
#: Lasting deviations, against comparable days alone; minutes.
LASTING_MINUTES = (30, 60, 120, 240, 480)
#: ... of days, where rows are at least so long: shorter ones have enough counts to tell a lasting deviation within hours.
DAYS_MINUTES, DAYS_FROM_MINUTES = (1440, 2880, 4320), 15
#: Kinds of windows, which have limits of their own: sudden, lasting for hours, lasting for days.
GROUPS, HOURS_LONG = 3, 1
#: A deviation must last two rows where rows are shorter than this: one minute of retries is no surge.
SINGLE_ROW_FROM_MINUTES = 5
#: The day so far: its level is read from so many parts of so many minutes (at least one row) just before a window begins.
LEVEL_PART_MINUTES = 15
LEVEL_PARTS = 3
#: Rows that are kept: the longest local day, 25 hours; also how far back a silence is looked for.
KEPT_MINUTES = 1500
#: A deviation is over when it was calm for this long, at least two rows.
CALM_MINUTES = 15
#: The last rows must still deviate for an alert to be raised.
FRESH_MINUTES = 3


@dataclass(frozen=True, slots=True)
class Scales:
    """Lengths in rows. `sudden` and `lasting` are rising; `single` tells whether one row alone can raise an alert."""

    step_minutes: int
    sudden: tuple[int, ...]
    lasting: tuple[int, ...]
    single: bool
    level_part: int
    fresh: int
    calm: int
    silence_rows_min: int
    lookback: int

    @property
    def windows(self) -> tuple[int, ...]:
        """Sudden windows, then lasting ones."""
        return self.sudden + self.lasting

    @property
    def groups(self) -> tuple[int, ...]:
        """The kind of each window: 0 sudden, 1 lasting for hours, 2 for days."""
        longest = LASTING_MINUTES[-1]
        return (0,) * len(self.sudden) + tuple(1 + (rows * self.step_minutes > longest) for rows in self.lasting)

    @property
    def part_window(self) -> int:
        """Which sudden window is as long as a part of the level."""
        return min(range(len(self.sudden)), key=lambda number: abs(self.sudden[number] - self.level_part))

    @property
    def level_reach(self) -> int:
        """Rows before a sudden window that its level is read from."""
        return self.level_part * LEVEL_PARTS

    @staticmethod
    def of(step_minutes: int) -> Scales:
        """The lengths for rows of `step_minutes` (1 to 60)."""
        single = step_minutes >= SINGLE_ROW_FROM_MINUTES
        least = 1 if single else 2
        sudden = sorted({max(least, math.ceil(minutes / step_minutes)) for minutes in SUDDEN_MINUTES})
        days = DAYS_MINUTES if step_minutes >= DAYS_FROM_MINUTES else ()
        lasting = sorted({max(least, math.ceil(minutes / step_minutes)) for minutes in LASTING_MINUTES + days})
        part = max(1, LEVEL_PART_MINUTES // step_minutes)
        kept = math.ceil(KEPT_MINUTES / step_minutes)
        return Scales(
            step_minutes,
            tuple(sudden),
            tuple(lasting),
            single,
            part,
            fresh=max(1, FRESH_MINUTES // step_minutes),
            calm=max(2, CALM_MINUTES // step_minutes),
            silence_rows_min=1 if single else 2,
            lookback=max(lasting[-1], sudden[-1] + part * LEVEL_PARTS, kept) + 1,
        )
