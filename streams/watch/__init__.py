"""Surges, drops and silences, judged against comparable days. Pure: no clock, no socket, no file. docs/detection.md says how and why."""

from streams.watch.days import DayKeys, KeysOf, MixedDays, SchoolDays, weekly
from streams.watch.episodes import Change, Episode
from streams.watch.panel import Band, Panel
from streams.watch.store import Past
from streams.watch.types import SENSITIVITIES, Alert, Array, Index, Kind, Scope, Sensitivity

__all__ = [
    "SENSITIVITIES",
    "Alert",
    "Array",
    "Band",
    "Change",
    "DayKeys",
    "Episode",
    "Index",
    "KeysOf",
    "Kind",
    "MixedDays",
    "Panel",
    "Past",
    "SchoolDays",
    "Scope",
    "Sensitivity",
    "weekly",
]
