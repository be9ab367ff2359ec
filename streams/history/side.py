"""One side of a comparison: sums, peaks and silences of some days, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from streams.history.coverage import Extent
from streams.history.day_columns import CutName, Key
from streams.history.marks import HourSource

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Peak:
    """The busiest minute: visits that began in it, and its epoch minute."""

    visits: int
    minute: int


@dataclass(slots=True)
class Sum:
    """Figures of one code over all days. `by_day` are its visits on each; `compared` those of minutes that both sides measured."""

    by_day: Ints
    compared_by_day: Ints
    events: int = 0
    peak: Peak | None = None
    silence_minutes: int | None = None

    @classmethod
    def zeros(cls, days: int) -> Sum:
        """Nothing counted."""
        return cls(np.zeros(days, np.int64), np.zeros(days, np.int64))

    @property
    def visits(self) -> int:
        """On all days, everything that was measured."""
        return int(self.by_day.sum())

    @property
    def compared(self) -> int:
        """On all days, in minutes that both sides measured."""
        return int(self.compared_by_day.sum())


@dataclass(frozen=True, slots=True)
class Quality:
    """How far the figures of one side can be trusted. Minutes are of all its days.

    `rejected`, `duplicates` and `lost` are told by when they were counted, to the hour.
    """

    minutes: int
    measured_minutes: int
    late_events: int
    rejected: int
    duplicates: int
    lost: int
    sources: tuple[HourSource, ...]
    days_without_data: tuple[date, ...]


@dataclass(slots=True)
class Side:
    """One side of a comparison; `days` in order, figures by (what is reported, code)."""

    days: tuple[date, ...]
    sums: dict[tuple[str, str], Sum] = field(default_factory=dict)
    #: Visits compared of a service, and of a profile, by region: (region, code) -> visits.
    service_visits: dict[Key, int] = field(default_factory=dict)
    profile_visits: dict[Key, int] = field(default_factory=dict)
    users: dict[tuple[str, str], int] = field(default_factory=dict)
    establishments: dict[tuple[str, str], int] = field(default_factory=dict)
    quality: Quality | None = None
    #: National visits of each minute of the first day, for a chart: (epoch minute of its start, visits).
    first_day: tuple[int, Ints] | None = None
    #: Cuts of which something is known; the figures of the others are unknown, not zero.
    cuts: frozenset[CutName] = frozenset(CutName)
    estimated: bool = False
    #: Estimated from weekly figures: the regions that these cover, of visits and of services. None: all.
    regions: frozenset[str] | None = None
    service_regions: frozenset[str] | None = None
    simulated: bool = False

    def sum_of(self, by: str, code: str) -> Sum:
        """The figures of a code, zeros where it has none."""
        return self.sums.get((by, code)) or Sum.zeros(len(self.days))

    def codes(self, by: str) -> list[str]:
        """The codes that have figures, in order."""
        return sorted(code for name, code in self.sums if name == by)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a comparison, and how much of them is compared, by cut; `first` is the same of the first day alone, where asked."""

    now: Side
    then: Side
    extents: Mapping[CutName, Extent]
    first: Sides | None = None
