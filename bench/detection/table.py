"""From results to the table: recall, delay and false alerts by class, at an equal budget of false alerts."""

import statistics
from dataclasses import dataclass

import numpy as np

from bench.detection.trial import AFTER_MINUTES, OURS, Raised, Result, begins
from bench.detection.truths import CLASSES, Class, Truth
from streams.watch import AlertKind

#: False alerts a week over all regions together.
BUDGET_A_WEEK = 0.2


@dataclass(frozen=True, slots=True)
class Row:
    """One class and one rule: `found` of `number` truths, and the delays of those found, in settled minutes (1 is at once)."""

    class_: Class
    rule: str
    number: int
    delays: tuple[int, ...]

    @property
    def recall(self) -> float:
        """Part of the truths that were found."""
        return len(self.delays) / self.number

    def within(self, minutes: int) -> float:
        """Part of the truths found within so many settled minutes."""
        return sum(delay <= minutes for delay in self.delays) / self.number

    @property
    def median(self) -> float | None:
        """Of the delays."""
        return statistics.median(self.delays) if self.delays else None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by class, then rule; false alerts a week of each rule; thresholds of the rivals (up, down)."""

    rows: tuple[Row, ...]
    false_a_week: dict[str, float]
    thresholds: dict[str, tuple[float, float]]
    false_alerts: tuple[tuple[str, Raised], ...]
    weeks: float

    def row(self, class_: str, rule: str = OURS) -> Row:
        """One row."""
        return next(row for row in self.rows if (row.class_.name, row.rule) == (class_, rule))


def make_table(results: list[Result], judged_rows: int, budget_a_week: float = BUDGET_A_WEEK) -> Table:
    """`judged_rows`: the row of the whole span at which judging began."""
    weeks = results[0].weeks
    budget = budget_a_week * weeks
    rules = list(results[0].rivals_ordinary)
    thresholds = {rule: _thresholds(results, rule, budget) for rule in rules}
    false = {OURS: sum(len(one.ordinary) for one in results) / weeks}
    for rule in rules:
        false[rule] = (
            sum(_alerts(results, rule, direction, thresholds[rule][direction]) for direction in (0, 1)) / weeks
        )
    rows = []
    for class_ in CLASSES:
        truths = [(one, truth) for one in results for truth in one.truths if truth.class_ == class_]
        if not truths:
            continue
        rows.append(_row(class_, OURS, [_ours(one.eventful, truth) for one, truth in truths]))
        for rule in rules:
            delays = [_rival(one, rule, truth, thresholds[rule], judged_rows) for one, truth in truths]
            rows.append(_row(class_, rule, delays))
    alerts = tuple((one.code, raised) for one in results for raised in one.ordinary)
    return Table(tuple(rows), false, thresholds, alerts, weeks)


def _row(class_: Class, rule: str, delays: list[int | None]) -> Row:
    return Row(class_, rule, len(delays), tuple(sorted(delay for delay in delays if delay is not None)))


def _ours(raised: list[Raised], truth: Truth) -> int | None:
    kinds = {
        AlertKind.SURGE: (AlertKind.SURGE,),
        AlertKind.DROP: (AlertKind.DROP,),
        AlertKind.SILENCE: (AlertKind.SILENCE,),
    }[truth.class_.kind]
    found = [one.row for one in raised if one.kind in kinds and truth.begin <= one.row < truth.until + AFTER_MINUTES]
    return min(found) - truth.begin + 1 if found else None


def _rival(result: Result, rule: str, truth: Truth, thresholds: tuple[float, float], judged_rows: int) -> int | None:
    """A rival that was alarmed before the truth began, and still is, did not find it."""
    direction = 0 if truth.class_.kind is AlertKind.SURGE else 1
    sparse = result.rivals_eventful[rule]
    rows, scores = (sparse.up, sparse.down)[direction]
    beyond = begins(rows[scores > thresholds[direction]]) + judged_rows
    found = beyond[(beyond >= truth.begin) & (beyond < truth.until + AFTER_MINUTES)]
    return int(found[0]) - truth.begin + 1 if len(found) else None


def _alerts(results: list[Result], rule: str, direction: int, threshold: float) -> int:
    total = 0
    for one in results:
        sparse = one.rivals_ordinary[rule]
        rows, scores = (sparse.up, sparse.down)[direction]
        total += len(begins(rows[scores > threshold]))
    return total


def _thresholds(results: list[Result], rule: str, budget: float) -> tuple[float, float]:
    """The lowest thresholds that keep to half the budget each way, on the very year that is judged: nothing better could be set."""
    found = []
    for direction in (0, 1):
        sides = [(one.rivals_ordinary[rule].up, one.rivals_ordinary[rule].down)[direction][1] for one in results]
        candidates = np.unique(np.concatenate(sides))
        low, high = 0, len(candidates) - 1
        while low < high:
            middle = (low + high) // 2
            if _alerts(results, rule, direction, float(candidates[middle])) <= budget / 2:
                high = middle
            else:
                low = middle + 1
        found.append(float(candidates[low]))
    return found[0], found[1]
