"""Values of the detector that other rooms read: what is judged together, what an alert says, how much it takes."""

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

    `budget_a_month`: false alerts that a series may cost a month, which sets the score it takes (`streams.watch.limits`).
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
