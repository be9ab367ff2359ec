"""From a `Metric` of the closed list to prometheus_client's metric families. Names, labels and help are written nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

from streams.metrics import Kind, Metric

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


def stamped_family(metric: Metric, series: Iterable[tuple[dict[str, str], Iterable[tuple[int, int]]]]) -> Family:
    """Build the family of a gauge whose samples carry their own time.

    `series` are (labels, [(epoch seconds, value) oldest first]): OpenMetrics wants the samples of one series together, in order.
    """
    built = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    name = metric.name
    built.samples = [Sample(name, labels, value, second) for labels, points in series for second, value in points]
    return built
