"""From a `Metric` of the closed list to prometheus_client's families, and to text. Names, labels and help are written nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family

from streams.metric_kinds import Kind, Metric

#: Label values, in the order of the metric's labels, and the value.
Row = tuple[Sequence[str], float]


def family(metric: Metric, rows: Iterable[Row]) -> Family:
    """Build the family of a counter or gauge; each row's label values go with `metric.labels`."""
    built: CounterMetricFamily | GaugeMetricFamily
    if metric.kind is Kind.COUNTER:
        built = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
    else:
        assert metric.kind is Kind.GAUGE, f"{metric.name} is neither counter nor gauge"
        built = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in rows:
        assert len(labels) == len(metric.labels), f"{metric.name}: {labels} do not fit {metric.labels}"
        built.add_metric(list(labels), value)
    return built


def info_family(metric: Metric, values: Sequence[str]) -> Family:
    """Build the family of an info metric: one sample of value 1 whose labels are `values`."""
    built = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
    built.add_metric([], dict(zip(metric.labels, values, strict=True)))
    return built


@dataclass(frozen=True, slots=True)
class Stamped:
    """A gauge whose samples carry their own time: `series` are labels and values, one for each of `seconds` (epoch, oldest first;
    None: not known, left out).

    It writes itself: an hour of minutes is 66,000 samples, for which prometheus_client takes a second of the scrape's three.
    """

    metric: Metric
    seconds: Sequence[int]
    series: Sequence[tuple[Mapping[str, str], Sequence[float | None]]]

    def text(self, per_second: int) -> str:
        """The family in Prometheus's text format (time stamps in milliseconds: 1000 `per_second`) or OpenMetrics (1).

        OpenMetrics wants the samples of one series together, in order. Label values are codes of closed lists, which hold nothing that
        would have to be escaped.
        """
        name = self.metric.name
        stamps = [f" {second * per_second}\n" for second in self.seconds]
        lines = [f"# HELP {name} {self.metric.help}\n# TYPE {name} gauge\n"]
        for labels, values in self.series:
            written = ",".join(f'{label}="{labels[label]}"' for label in self.metric.labels)
            head = f"{name}{{{written}}} "
            pairs = zip(values, stamps, strict=True)
            lines += [f"{head}{value}{stamp}" for value, stamp in pairs if value is not None]
        return "".join(lines)
