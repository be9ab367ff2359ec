"""One side of a comparison: sums, peaks and silences of some days, and how far they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from streams.history.marks import Source
from streams.history.rows import Key

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Peak:
    """The busiest minute: visits that began in it, and its epoch minute."""

    visits: int
    minute: int


@dataclass(slots=True)
class Sum:
    """Figures of one code over all days; `by_day` are its visits on each."""

    by_day: Ints
    events: int = 0
    peak: Peak | None = None
    silence_minutes: int | None = None

    @property
    def visits(self) -> int:
        """On all days."""
        return int(self.by_day.sum())


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
    sources: tuple[Source, ...]
    days_without_data: tuple[date, ...]


@dataclass(slots=True)
class Side:
    """One side of a comparison; `days` in order, figures by (what is reported, code)."""

    days: tuple[date, ...]
    sums: dict[tuple[str, str], Sum] = field(default_factory=dict)
    #: Visits of a service, and visits of a profile, by region: (region, code) -> visits.
    service_visits: dict[Key, int] = field(default_factory=dict)
    profile_visits: dict[Key, int] = field(default_factory=dict)
    users: dict[tuple[str, str], int] = field(default_factory=dict)
    establishments: dict[tuple[str, str], int] = field(default_factory=dict)
    quality: Quality | None = None
    #: National visits of each minute of the first day, for a chart: (epoch minute of its start, visits).
    first_day: tuple[int, Ints] | None = None
    estimated: bool = False

    def sum_of(self, by: str, code: str) -> Sum:
        """The figures of a code, zeros where it has none."""
        return self.sums.get((by, code)) or Sum(np.zeros(len(self.days), np.int64))

    def codes(self, by: str) -> list[str]:
        """The codes that have figures, in order."""
        return sorted(code for name, code in self.sums if name == by)
