"""Surges, drops and silences, judged against comparable days. Pure: no clock, no socket, no file. docs/detection.md says how and why."""

from streams.watch.days import DayKeys, KeysOf, MixedDays, SchoolDays, weekly
from streams.watch.detector import Detector, Judged, Maintenance, Series
from streams.watch.episodes import Change, Episode
from streams.watch.panel import Band, Panel
from streams.watch.rollup import Driver, RollUp, drivers, roll_up
from streams.watch.store import Past
from streams.watch.types import SENSITIVITIES, Alert, Array, Index, Kind, Scope, Sensitivity

__all__ = [
    "SENSITIVITIES",
    "Alert",
    "Array",
    "Band",
    "Change",
    "DayKeys",
    "Detector",
    "Driver",
    "Episode",
    "Index",
    "Judged",
    "KeysOf",
    "Kind",
    "Maintenance",
    "MixedDays",
    "Panel",
    "Past",
    "RollUp",
    "SchoolDays",
    "Scope",
    "Sensitivity",
    "Series",
    "drivers",
    "roll_up",
    "weekly",
]
