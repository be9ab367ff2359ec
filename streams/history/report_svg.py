"""Charts of the report's page as inline SVG: no script, no font, nothing to fetch. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from streams.history import french

NOW, THEN, INK, GRID, DOWN, OFF = "#1d4f91", "#9aa7b8", "#1f2933", "#dde3ea", "#b5482f", "#eef1e6"
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 30


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; `values` are evenly spaced."""

    label: str
    values: Sequence[float]
    colour: str


def lines(
    title: str, series: Sequence[Line], ticks: Sequence[tuple[int, str]], width: int = 900, height: int = 260
) -> str:
    """Lines over a common axis; `ticks` are (index, text)."""
    top = _nice(max((max(line.values, default=0) for line in series), default=1))
    length = max(len(line.values) for line in series)
    inner_width, inner_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM

    def x(index: float) -> float:
        return _LEFT + inner_width * index / max(1, length - 1)

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / top)

    parts = [_grid(top, y, width)]
    for index, text in ticks:
        parts.append(f'<text x="{x(index):.1f}" y="{height - 10}" text-anchor="middle">{escape(text)}</text>')
    for line in series:
        path = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(line.values))
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="1.8" stroke-linejoin="round"/>'
        )
    return _svg(title, width, height, parts) + _legend([(line.colour, line.label) for line in series])


@dataclass(frozen=True, slots=True)
class DayBar:
    """A day and the one beside it: `then` is None where none is like it. `label` has a line a part; `told` is what a pointer reads."""

    label: tuple[str, ...]
    now: float
    then: float | None
    told: str
    is_off: bool


def day_bars(
    title: str, days: Sequence[DayBar], now: str, *, then: str | None, width: int = 900, height: int = 256
) -> str:
    """Two bars a day: then, now; where `then` is None one, now. Days off (weekends, holidays) lie on a ground of their own."""
    top = _nice(max([1.0, *(max(day.now, day.then or 0.0) for day in days)]))
    bottom = _BOTTOM + 14
    inner_width, inner_height = width - _LEFT - _RIGHT, height - _TOP - bottom
    step = inner_width / max(1, len(days))
    bar = step * (0.38 if then is not None else 0.8)
    places = ((0.1 * step, THEN), (0.1 * step + bar, NOW)) if then is not None else ((0.1 * step, NOW),)

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / top)

    grounds, bars, texts = [], [], []
    every = max(1, -(-len(days) * 26 // inner_width))
    for index, day in enumerate(days):
        left = _LEFT + step * index
        if day.is_off:
            size = f'width="{step:.1f}" height="{inner_height:.1f}"'
            grounds.append(f'<rect class="off" x="{left:.1f}" y="{_TOP}" {size} fill="{OFF}"/>')
        for offset, colour in places:
            value = day.now if colour == NOW else day.then
            if value is not None:
                size = f'width="{bar:.1f}" height="{max(0.0, y(0) - y(value)):.1f}"'
                told = f"<title>{escape(day.told)}</title>"
                bars.append(f'<rect x="{left + offset:.1f}" y="{y(value):.1f}" {size} fill="{colour}">{told}</rect>')
        if index % every == 0:
            for number, text in enumerate(day.label):
                place = f'x="{left + step / 2:.1f}" y="{height - bottom + 14 + 13 * number}"'
                texts.append(f'<text {place} text-anchor="middle">{escape(text)}</text>')
    legend = [
        *([(THEN, then)] if then is not None else []),
        (NOW, now),
        *([(OFF, "week-ends, vacances et jours fériés")] if grounds else []),
    ]
    return _svg(title, width, height, [*grounds, _grid(top, y, width), *bars, *texts]) + _legend(legend)


def growth_bars(title: str, rows: Sequence[tuple[str, float]], width: int = 900) -> str:
    """Growth by label, longest first as given; to the right of the axis what grew, to the left what shrank."""
    row_height, label_width, value_width = 20, 250, 90
    height = row_height * len(rows) + 8
    largest = max((abs(value) for _label, value in rows), default=1) or 1
    lowest = min((value for _label, value in rows), default=0)
    inner = width - label_width - value_width
    # The axis leaves room on its left only where something shrank.
    axis = label_width + (inner * -lowest / (largest - lowest) if lowest < 0 else 0)
    scale = (inner - (axis - label_width)) / largest
    parts = []
    for index, (label, value) in enumerate(rows):
        top = index * row_height + 4
        length = abs(value) * scale
        left = axis if value >= 0 else axis - length
        colour = NOW if value >= 0 else DOWN
        parts.append(f'<text x="{label_width - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>')
        parts.append(f'<rect x="{left:.1f}" y="{top}" width="{max(1.0, length):.1f}" height="14" fill="{colour}"/>')
        end = axis + max(0.0, value) * scale + 6
        parts.append(f'<text x="{end:.1f}" y="{top + 12}" class="value">{french.growth(value)}</text>')
    parts.append(f'<line x1="{axis:.1f}" x2="{axis:.1f}" y1="0" y2="{height}" stroke="{INK}" stroke-width="1"/>')
    return _svg(title, width, height, parts)


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    body = "".join(parts)
    head = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
    return f'<div class="chart">{head}{body}</svg></div>'


def _legend(items: Sequence[tuple[str, str]]) -> str:
    listed = "".join(f'<span><i style="background:{colour}"></i>{escape(text)}</span>' for colour, text in items)
    return f'<p class="legend">{listed}</p>'


def _grid(top: float, y: object, width: int) -> str:
    assert callable(y)
    parts = []
    for step in range(5):
        value = top * step / 4
        at = y(value)
        parts.append(f'<line x1="{_LEFT}" x2="{width - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="{GRID}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{french.number(value)}</text>')
    return "".join(parts)


def _nice(value: float) -> float:
    """The next 1, 2, 2.5, 4, 5 or 10 times a power of ten: its quarters are round."""
    power = 1.0
    while power * 10 < max(value, 1):
        power *= 10
    return next(power * factor for factor in (1, 2, 2.4, 4, 6, 8, 10) if power * factor >= value)
