"""From alerts to incidents: which alert explains which others, and whether anybody is called. The one place that decides it. Pure."""

from streams.incidents.acknowledged import (
    ALERT_NAMES,
    NO_LABEL,
    Acknowledgement,
    Matcher,
    acknowledged,
    labels_of,
    matchers_of,
)
from streams.incidents.fold import HOLD_MINUTES, LEVELS, Incident, Quiet, fold, quiet_because
from streams.incidents.records import NOW_MINUTES, AlertBook, AlertRecord, Driver

__all__ = [
    "ALERT_NAMES",
    "HOLD_MINUTES",
    "LEVELS",
    "NOW_MINUTES",
    "NO_LABEL",
    "Acknowledgement",
    "AlertBook",
    "AlertRecord",
    "Driver",
    "Incident",
    "Matcher",
    "Quiet",
    "acknowledged",
    "fold",
    "labels_of",
    "matchers_of",
    "quiet_because",
]
