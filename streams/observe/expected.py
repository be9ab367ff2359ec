"""What was expected, row by row, as readers get it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

#: A sum is told where the parts of which something is expected make up this part of it.
KNOWN_PART_MIN = 0.5


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """One judged row of a scope; `minute` is an epoch minute of the clock, the row is `step_minutes` long."""

    minute: int
    step_minutes: int
    observed: float | None
    expected: float | None
    lower: float | None
    upper: float | None
    learning: bool


def summed(parts: Sequence[Sequence[ExpectedRow]]) -> list[ExpectedRow]:
    """Rows of a place that is judged in parts. A part of which nothing can be expected counts as it came: neither too many nor too few.

    Bounds are summed as if all parts strayed together: what lies outside of them is unusual, what lies inside may be, too.
    """
    by_minute: dict[int, list[ExpectedRow]] = {}
    for rows in parts:
        for row in rows:
            if row.observed is not None:
                by_minute.setdefault(row.minute, []).append(row)
    return [_sum(rows) for _minute, rows in sorted(by_minute.items())]


def within_parts(whole: Sequence[ExpectedRow], parts: Sequence[Sequence[ExpectedRow]]) -> list[ExpectedRow]:
    """The rows of a whole whose bounds lie where those of its parts can put them, in minutes in which all of its parts have bounds.

    No nearer than if the parts strayed independently of each other, no farther than if all strayed together.
    """
    by_minute: dict[int, list[ExpectedRow]] = {}
    for rows in parts:
        for row in rows:
            by_minute.setdefault(row.minute, []).append(row)
    return [_within(row, by_minute.get(row.minute, ()), len(parts)) for row in whole]


def _within(row: ExpectedRow, parts: Sequence[ExpectedRow], number: int) -> ExpectedRow:
    if row.expected is None or row.lower is None or row.upper is None or len(parts) != number or not parts:
        return row
    below, above = [], []
    for part in parts:
        if part.expected is None or part.lower is None or part.upper is None:
            return row
        below.append(part.expected - part.lower)
        above.append(part.upper - part.expected)
    lower = min(max(row.expected - row.lower, math.hypot(*below)), sum(below))
    upper = min(max(row.upper - row.expected, math.hypot(*above)), sum(above))
    return replace(row, lower=round(max(row.expected - lower, 0.0), 2), upper=round(row.expected + upper, 2))


def _sum(rows: Sequence[ExpectedRow]) -> ExpectedRow:
    observed = sum(row.observed or 0.0 for row in rows)
    known = [row for row in rows if row.expected is not None]
    of_known = sum(row.expected or 0.0 for row in known)
    rest = sum(row.observed or 0.0 for row in rows if row.expected is None)
    first = rows[0]
    if not known or of_known < KNOWN_PART_MIN * (of_known + rest):
        return ExpectedRow(first.minute, first.step_minutes, round(observed, 2), None, None, None, learning=True)
    lower, upper = (sum(getattr(row, name) or 0.0 for row in known) for name in ("lower", "upper"))
    learning = sum(row.expected or 0.0 for row in known if row.learning) > (1 - KNOWN_PART_MIN) * of_known
    return ExpectedRow(
        first.minute,
        first.step_minutes,
        round(observed, 2),
        round(of_known + rest, 2),
        round(lower + rest, 2),
        round(upper + rest, 2),
        learning,
    )
