"""Charts of the report's page as inline SVG: no script, no font, nothing to fetch. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from streams.history import french

NOW, THEN, INK, GRID, DOWN = "#1d4f91", "#9aa7b8", "#1f2933", "#dde3ea", "#b5482f"
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
    return _svg(title, width, height, parts) + _legend(series)


def pairs(title: str, labels: Sequence[str], now: Line, then: Line, width: int = 900, height: int = 240) -> str:
    """Two bars a label: then, now."""
    top = _nice(max([*now.values, *then.values, 1]))
    inner_width, inner_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    step = inner_width / max(1, len(labels))
    bar = step * 0.38

    def y(value: float) -> float:
        return _TOP + inner_height * (1 - value / top)

    parts = [_grid(top, y, width)]
    every = max(1, -(-len(labels) * 44 // inner_width))
    for index, label in enumerate(labels):
        left = _LEFT + step * index + step * 0.1
        for offset, line in ((0.0, then), (bar, now)):
            tip = y(line.values[index])
            size = f'width="{bar:.1f}" height="{max(0.0, y(0) - tip):.1f}"'
            parts.append(f'<rect x="{left + offset:.1f}" y="{tip:.1f}" {size} fill="{line.colour}"/>')
        if index % every == 0:
            parts.append(f'<text x="{left + bar:.1f}" y="{height - 10}" text-anchor="middle">{escape(label)}</text>')
    return _svg(title, width, height, parts) + _legend((then, now))


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


def _legend(series: Sequence[Line]) -> str:
    items = "".join(f'<span><i style="background:{line.colour}"></i>{escape(line.label)}</span>' for line in series)
    return f'<p class="legend">{items}</p>'


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
