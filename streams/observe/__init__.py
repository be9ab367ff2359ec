"""The observer's loop: once a second it settles and trims the minutes, once a minute it takes a census. Any number of observers may run."""

from streams.observe.archivist import Archivist
from streams.observe.decide import (
    ArchiveFigures,
    ArchiveRules,
    Kept,
    catalogs_in_use,
    partitions_unowned,
    progress_problem,
    settling,
    what_is_kept,
)
from streams.observe.detector import Detector, DetectorFigures, DetectorParts
from streams.observe.expected import ExpectedRow
from streams.observe.loop import (
    DAY,
    WINDOWS,
    WINDOWS_MINUTES,
    Census,
    Observer,
    ObserverRules,
    not_ready_because,
    take_census,
)

__all__ = [
    "DAY",
    "WINDOWS",
    "WINDOWS_MINUTES",
    "ArchiveFigures",
    "ArchiveRules",
    "Archivist",
    "Census",
    "Detector",
    "DetectorFigures",
    "DetectorParts",
    "ExpectedRow",
    "Kept",
    "Observer",
    "ObserverRules",
    "catalogs_in_use",
    "not_ready_because",
    "partitions_unowned",
    "progress_problem",
    "settling",
    "take_census",
    "what_is_kept",
]
