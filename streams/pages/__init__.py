"""Pages made of templates: one frame and one style, charts as SVG, numbers as French writes them.

A template lies in the room whose values fill it. What all share lies here: `Chart` says where the values of a chart lie, and
`charts.html` draws it. Nothing is fetched, and no page needs a script.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streams.pages import french

if TYPE_CHECKING:
    from jinja2 import Environment

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


@cache
def _environment() -> Environment:
    # Here, since a worker loads this room for its login form, and may never be asked for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": french.number,
        "decimal": french.decimal,
        "growth": french.growth,
        "share": french.share,
        "counted": french.counted,
        "day": french.day,
        "moment": french.moment,
        "short_moment": french.short_moment,
        "px": "{:.1f}".format,
    }
    made.globals |= {"line_chart": line_chart, "day_chart": day_chart, "NOW": NOW, "THEN": THEN, "DAY_OFF": DAY_OFF}
    return made


def render(template: str, **values: object) -> str:
    """A template, by its path below `streams/`, filled. Of an `.html` all values are escaped."""
    return _environment().get_template(template).render(values)
