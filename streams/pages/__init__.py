"""Pages that are files: one frame and one style, charts as SVG, numbers as French writes them.

A template lies in the room whose values fill it; what all share lies here. Nothing is fetched, and no page needs a script.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from streams.pages import french
from streams.pages.chart import DAY_OFF, NOW, THEN, day_chart, line_chart


@cache
def _environment() -> Environment:
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
