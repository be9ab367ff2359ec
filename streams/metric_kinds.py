"""What is said of a metric in the closed list of `streams.metrics`."""

from dataclasses import dataclass
from enum import StrEnum


class Owner(StrEnum):
    """The process that exposes a metric on its `/metrics`."""

    OBSERVER = "observer"
    WORKER = "worker"
    COLLECTOR = "collector"
    BOTH = "observer, worker"


class Kind(StrEnum):
    """Prometheus metric types in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `name` as it is exposed (counters with `_total`).

    `is_extra`: no shipped board or rule reads it, so an observer exposes it only with the setting `metrics_all`.
    """

    name: str
    kind: Kind
    owner: Owner
    help: str
    labels: tuple[str, ...] = ()
    is_extra: bool = False
