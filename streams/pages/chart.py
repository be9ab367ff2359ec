"""What charts of pages draw, and where values lie in them; `charts.html` draws. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: What is told, what it is held against, and the ground of days off.
NOW, THEN, DAY_OFF = "#1d4f91", "#9aa7b8", "#eef1e6"
WIDTH, LEFT, RIGHT, TOP = 900, 64, 12, 12


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; `values` are evenly spaced."""

    label: str
    values: Sequence[float]
    colour: str


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day and the one beside it: `then` is None where none is like it. `label` has a line a part; `told` is what a pointer reads."""

    label: tuple[str, ...]
    now: float
    then: float | None
    told: str
    is_off: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of values from 0 to `highest` at places from 0 to `places`; `bottom` is the height that its labels take."""

    highest: float
    places: int
    height: int
    bottom: int

    @property
    def top(self) -> float:
        """The value at the upper edge: 1, 2, 2.4, 4, 6, 8 or 10 times a power of ten, so that its quarters are round."""
        power = 1.0
        while power * 10 < max(self.highest, 1):
            power *= 10
        return next(power * factor for factor in (1, 2, 2.4, 4, 6, 8, 10) if power * factor >= self.highest)

    def x(self, place: float) -> float:
        """How far from the left a place is."""
        return LEFT + (WIDTH - LEFT - RIGHT) * place / max(1, self.places)

    def y(self, value: float) -> float:
        """How far from the upper edge a value is."""
        return TOP + (self.height - TOP - self.bottom) * (1 - value / self.top)


def line_chart(series: Sequence[Line]) -> Chart:
    """The chart of lines."""
    highest = max((value for line in series for value in line.values), default=1)
    return Chart(highest, max(len(line.values) for line in series) - 1, 260, 30)


def day_chart(days: Sequence[DayBar]) -> Chart:
    """The chart of bars by day."""
    return Chart(max([1.0, *(max(day.now, day.then or 0.0) for day in days)]), len(days), 256, 44)
