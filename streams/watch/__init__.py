"""Surges, drops and silences, judged against comparable days. Pure: no clock, no socket, no file. docs/detection.md says how and why.

`Panel` judges series that share a clock and a calendar, a day or a minute at a time; a rehearsal runs it over a file or an archive. `Judge`
is a panel behind a clock of epoch minutes, which an observer feeds settled minutes; `summary` puts what it tells into figures.
"""

from streams.watch.alert_types import (
    SENSITIVITIES,
    AlertKind,
    AlertScope,
    Array,
    Group,
    Index,
    Measure,
    Sensitivity,
    Series,
)
from streams.watch.comparable_days import DayKeys, KeysOf, MixedDays, SchoolDays, weekly
from streams.watch.episodes import Change, Episode
from streams.watch.judging import Judge, Told
from streams.watch.maintenances import Maintenance, planned_because
from streams.watch.panel import Band, Panel
from streams.watch.store import Past
from streams.watch.summary import Part, drivers, level_of, normal_since, sums

__all__ = [
    "SENSITIVITIES",
    "AlertKind",
    "AlertScope",
    "Array",
    "Band",
    "Change",
    "DayKeys",
    "Episode",
    "Group",
    "Index",
    "Judge",
    "KeysOf",
    "Maintenance",
    "Measure",
    "MixedDays",
    "Panel",
    "Part",
    "Past",
    "SchoolDays",
    "Sensitivity",
    "Series",
    "Told",
    "drivers",
    "level_of",
    "normal_since",
    "planned_because",
    "sums",
    "weekly",
]
