"""Who has taken an incident in charge, and until when: Alertmanager's silences, read as it reads them. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from streams.incidents.fold import Incident
from streams.incidents.records import AlertRecord

#: In place of a label that does not apply.
NO_LABEL = "-"
#: Kind -> the alert of Prometheus that calls for it; its runbook has the same name.
ALERT_NAMES: Mapping[str, str] = {
    "surge": "EntSurge",
    "drop": "EntDrop",
    "silence": "EntSilence",
    "never_seen": "EntNeverSeen",
}


class Matcher(msgspec.Struct, frozen=True, rename="camel"):
    """What a silence asks of one label, as Alertmanager writes it; a label that an alert does not have is the empty text."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is meant."""
        label = labels.get(self.name, "")
        return (self._is_in(label) if self.is_regex else label == self.value) == self.is_equal

    def _is_in(self, label: str) -> bool:
        try:
            return re.fullmatch(self.value, label) is not None
        except re.error:  # one that only Go's expressions know
            return False


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A silence that is active: who set it, until when (epoch ms), and what was said."""

    by: str
    until_ms: int
    comment: str
    matchers: tuple[Matcher, ...]


def labels_of(alert: AlertRecord, project_regions: Mapping[str, str | None]) -> dict[str, str]:
    """The labels by which Prometheus, Alertmanager and boards know an alert. A project's carries the region it lies in."""
    return {
        "kind": alert.kind,
        "scope": alert.scope,
        "region": alert.region or project_regions.get(alert.project or "") or NO_LABEL,
        "service": alert.service or NO_LABEL,
        "project": alert.project or NO_LABEL,
    }


def acknowledged(
    incident: Incident, known: Iterable[Acknowledgement], project_regions: Mapping[str, str | None]
) -> Acknowledgement | None:
    """The acknowledgement of an incident that lasts longest; None where there is none."""
    alert = incident.alert
    labels = {
        "alertname": ALERT_NAMES.get(alert.kind, ""),
        "severity": incident.severity,
        "team": "exploitation",
        **labels_of(alert, project_regions),
    }
    meant = [one for one in known if one.matchers and all(matcher.fits(labels) for matcher in one.matchers)]
    return max(meant, key=lambda one: one.until_ms, default=None)


def matchers_of(alert: AlertRecord, project_regions: Mapping[str, str | None]) -> Sequence[Matcher]:
    """What silences this alert and nothing else."""
    labels = {"alertname": ALERT_NAMES[alert.kind], **labels_of(alert, project_regions)}
    return [Matcher(name, value) for name, value in labels.items() if name != "kind"]
