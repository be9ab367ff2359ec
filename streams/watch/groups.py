"""What is judged together: series that share a clock, a calendar and a length of rows. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np

from streams.watch.alert_types import AlertScope, Index
from streams.watch.comparable_days import KeysOf


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
