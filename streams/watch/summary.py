"""An alert in figures: its sums and the bounds of these, its level, and the parts that make most of it up. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streams.watch.alert_types import AlertKind, AlertScope, Array, Series
from streams.watch.judging import Judge, Told
from streams.watch.store import ADOPT_DAYS

#: Parts that are named, and how far one deviates at least to be named.
DRIVERS_MAX = 5
DRIVER_RATIO = {AlertKind.SURGE: 1.05, AlertKind.DROP: 0.95, AlertKind.SILENCE: 0.5}

NATIONAL, REGION, SERVICE, PROJECT = "national", "region", "service", "project"


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over rows that are measured and expected."""

    observed: float
    expected: float
    lower: float
    upper: float


def level_of(scope: AlertScope) -> str:
    """`national`, `region`, `service` or `project`."""
    if scope.project is not None:
        return PROJECT
    if scope.service is not None:
        return SERVICE
    return NATIONAL if scope.region is None else REGION


def normal_since(kind: AlertKind, start: int, until: int) -> int | None:
    """The minute from which the rows of an alert are learned as usual; None before it lasts so long. Silence never becomes usual."""
    since = start + ADOPT_DAYS * 1440
    return since if kind is not AlertKind.SILENCE and until > since else None


def sums(judge: Judge, series: int, first: int, end: int) -> Sums:
    """What a series of a judge counted from minute `first` to `end`, as far back as bands are kept."""
    _first, values = judge.bands.between(first, end)
    rows = values[:, series]
    known = np.isfinite(rows[0]) & np.isfinite(rows[1])
    observed, expected, _lower, _upper = rows[:, known].sum(axis=1)
    lower, upper = bounds_of_sum(rows[1, known], rows[2, known], rows[3, known], judge.panel.score(series))
    return Sums(float(observed), float(expected), lower, upper)


def bounds_of_sum(expected: Array, lower: Array, upper: Array, score: float) -> tuple[float, float]:
    """Between which a sum of rows is usual, from the bounds of each, which are `score` standard deviations wide (as logarithms).

    What counting explains of a row's width averages out over the rows; what remains is the level of the day, which all rows share.
    """
    whole = float(expected.sum())
    if whole <= 0:
        return 0.0, float(upper.sum())
    counting = score**2 / (expected + 0.5)
    bounds = []
    for sign, bound in ((-1.0, lower), (1.0, upper)):
        told = bound > 0
        square = np.log(np.maximum(bound[told], 1e-9) / np.maximum(expected[told], 1e-9)) ** 2 - counting[told]
        shared = float((np.maximum(square, 0.0) * expected[told]).sum() / max(float(expected[told].sum()), 1e-9))
        bounds.append(whole * float(np.exp(sign * np.sqrt(score**2 / (whole + 0.5) + shared))))
    return max(bounds[0], float(lower.sum())), min(bounds[1], float(upper.sum()))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an alert's scope, over the same minutes."""

    scope: AlertScope
    sums: Sums


def drivers(
    judges: Sequence[Judge], alert: Series, told: Told, project_regions: Mapping[str, str | None]
) -> list[Part]:
    """The parts of an alert's scope that deviate as it does, those of the largest difference first; `judges` are those of all groups.

    France is made of regions, a region of its services and projects; others have no parts.
    """
    level = level_of(alert.scope)
    if level not in (NATIONAL, REGION):
        return []
    found = [
        Part(series.scope, sums(judge, number, told.start, told.until))
        for judge in judges
        for number, series in enumerate(judge.group.series)
        if _is_part(alert, level, series, project_regions)
    ]
    sign = 1.0 if told.kind is AlertKind.SURGE else -1.0
    bound = DRIVER_RATIO[told.kind]
    named = [
        part
        for part in found
        if part.sums.expected > 0 and sign * (part.sums.observed - bound * part.sums.expected) > 0
    ]
    named.sort(key=lambda part: (sign * (part.sums.expected - part.sums.observed), part.scope.name))
    return named[:DRIVERS_MAX]


def _is_part(alert: Series, level: str, series: Series, project_regions: Mapping[str, str | None]) -> bool:
    scope = series.scope
    if level == NATIONAL:
        return level_of(scope) == REGION and series.measure is alert.measure
    if level_of(scope) == SERVICE:
        return scope.region == alert.scope.region
    of_region = project_regions.get(scope.project or "") == alert.scope.region
    return scope.project is not None and of_region and series.measure is alert.measure
