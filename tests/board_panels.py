"""Draws what one panel of Grafana's boards would show: what these boards use, and no more; what it does not know is an error."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import pairwise
from typing import Any

from streams.clock import PARIS

COLUMN, ROW = 76, 34  # pixels of one unit of a board's grid
COLOURS = ("#1f78b4", "#e6842a", "#33a02c", "#b2182b", "#6a3d9a", "#b15928", "#555555", "#17becf", "#e377c2", "#8c6d31")


@dataclass(frozen=True, slots=True)
class DrawnSeries:
    """One line or figure: its name, its labels, and (seconds, value) in order."""

    name: str
    labels: dict[str, str]
    points: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds since the epoch that a time series shows."""

    first: float
    end: float


# --- figures as Grafana writes them


def figure(value: float, defaults: dict[str, Any]) -> str:
    """A value with its unit, or the word that a mapping gives it."""
    for mapping in defaults.get("mappings", ()):
        word = mapping["options"].get(f"{value:g}") if mapping["type"] == "value" else None
        if word:
            return str(word["text"])
    unit = defaults.get("unit", "none")
    if value != value:
        return "–"
    if unit == "percentunit":
        return _number(value * 100, defaults.get("decimals", 2)) + " %"
    if unit == "s":
        return _number(value, 0 if value >= 10 else 2) + " s" if value < 120 else _number(value / 60, 1) + " min"
    if unit == "bytes":
        return _number(value / 2**20, 1) + " Mio"
    if unit == "none" or unit.startswith("suffix:"):
        decimals = defaults.get("decimals", 0 if value == int(value) or abs(value) >= 100 else 2)
        return f"{_number(value, decimals)} {unit.removeprefix('suffix:').strip() if unit != 'none' else ''}".strip()
    raise ValueError(f"a unit that is not drawn here: {unit}")


def _number(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".replace(",", "\u202f").replace(".", ",")


def colour(value: float, defaults: dict[str, Any]) -> str:
    """The colour of a figure by its thresholds."""
    found = "inherit"
    for step in (defaults.get("thresholds") or {}).get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            found = step["color"]
    return found


def settings_of(panel: Any, name: str) -> dict[str, Any]:
    """The field's settings: the panel's defaults, and what overrides them by name."""
    found = dict(panel["fieldConfig"]["defaults"])
    found["custom"] = dict(found.get("custom", {}))
    for override in panel["fieldConfig"].get("overrides", ()):
        matcher = override["matcher"]
        is_meant = (
            re.search(matcher["options"].strip("/"), name)
            if matcher["id"] == "byRegexp"
            else matcher["options"] == name
        )
        assert matcher["id"] in ("byName", "byRegexp")
        if not is_meant:
            continue
        for one in override["properties"]:
            place, _, key = one["id"].rpartition(".")
            (found["custom"] if place == "custom" else found)[key] = one["value"]
    return found


# --- panels


def draw_stat(panel: Any, found: list[list[DrawnSeries]], _span: Span) -> str:
    """Figures beside one another."""
    parts = []
    series = [one for target in found for one in target]
    for one in series:
        defaults = settings_of(panel, one.name)
        value = one.points[-1][1]
        name = escape(one.name) if len(series) > 1 else ""
        parts.append(
            f'<div>{name}<b style="color:{colour(value, defaults)}">{escape(figure(value, defaults))}</b></div>'
        )
    return f'<div class="stats">{"".join(parts)}</div>' if parts else _none(panel)


def draw_table(panel: Any, found: list[list[DrawnSeries]], _span: Span) -> str:
    """The join and the renaming that the panel asks for; the transformations of our boards, no others."""
    join, organize = (one["options"] for one in panel["transformations"])
    assert (panel["transformations"][0]["id"], panel["transformations"][1]["id"]) == ("joinByField", "organize")
    key = join["byField"]
    rows: dict[str, dict[str, Any]] = {}
    for number, target in enumerate(found):
        for one in target:
            row = rows.setdefault(one.labels[key], {key: one.labels[key]})
            mark = f" {number + 1}" if len(found) > 1 else ""
            row |= {name + mark if name != key else name: text for name, text in one.labels.items()}
            row[f"Value #{chr(ord('A') + number)}" if len(found) > 1 else "Value"] = one.points[-1][1]
    names = dict.fromkeys(name for row in rows.values() for name in row if not organize["excludeByName"].get(name))
    order = [name for name in names if not name.startswith("Value")] + sorted(
        name for name in names if name.startswith("Value")
    )
    titles = {name: organize.get("renameByName", {}).get(name, name) for name in order}
    body = []
    sorted_by = next((name for name in order if name.startswith("Value")), key)
    for row in sorted(rows.values(), key=lambda row: -float(row.get(sorted_by, 0) if sorted_by != key else 0)):
        cells = []
        for name in order:
            value = row.get(name)
            is_number = isinstance(value, float)
            text = figure(value, settings_of(panel, titles[name])) if isinstance(value, float) else str(value or "")
            cells.append(f'<td class="{"n" if is_number else ""}">{escape(text)}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    head = "".join(
        f'<th class="{"n" if name.startswith("Value") else ""}">{escape(titles[name])}</th>' for name in order
    )
    return f"<table><tr>{head}</tr>{''.join(body)}</table>" if body else _none(panel)


def draw_timeseries(panel: Any, found: list[list[DrawnSeries]], span: Span) -> str:
    """Lines over time, bands between two of them, axes and a legend."""
    series = [one for target in found for one in target if one.points]
    if not series:
        return _none(panel)
    width, height = panel["gridPos"]["w"] * COLUMN - 24, panel["gridPos"]["h"] * ROW - 78
    defaults = panel["fieldConfig"]["defaults"]
    values = [value for one in series for _, value in one.points if value == value]
    low = min([*values, defaults.get("min", min(values, default=0))])
    high = max(values, default=0) * 1.05
    high = high if high > low else low + 1
    ticks = [low + (high - low) * number / 4 for number in range(4)]
    left, bottom = 12 + 7 * max(len(figure(value, defaults)) for value in ticks), 18

    def x(at: float) -> float:
        return left + (at - span.first) / (span.end - span.first) * (width - left)

    def y(value: float) -> float:
        return (height - bottom) * (1 - (value - low) / (high - low))

    drawn, names = [], []
    for value in ticks:
        drawn.append(f'<line x1="{left}" x2="{width}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#e4e5e6"/>')
        drawn.append(
            f'<text x="{left - 5}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(figure(value, defaults))}</text>'
        )
    for number in range(6):
        at = span.first + (span.end - span.first) * (number + 0.5) / 6
        drawn.append(
            f'<text x="{x(at):.0f}" y="{height - 3}" text-anchor="middle">{datetime.fromtimestamp(at, PARIS):%H:%M}</text>'
        )
    by_name = {one.name: one for one in series}
    for number, one in enumerate(series):
        custom = settings_of(panel, one.name)["custom"]
        tone = COLOURS[number % len(COLOURS)]
        if (lower := by_name.get(custom.get("fillBelowTo", ""))) is not None:
            edge = [(x(at), y(value)) for at, value in one.points] + [
                (x(at), y(value)) for at, value in reversed(lower.points)
            ]
            drawn.append(
                f'<polygon points="{_points(edge)}" fill="{tone}" opacity="{custom.get("fillOpacity", 10) / 100}"/>'
            )
        line = custom.get("lineWidth", 1)
        dash = ' stroke-dasharray="6 6"' if custom.get("lineStyle") else ""
        for run in _runs(one.points, panel):
            edge = [(x(at), y(value)) for at, value in run]
            drawn.append(
                f'<polyline points="{_points(edge)}" fill="none" shape-rendering="crispEdges" stroke="{tone}" stroke-width="{line}"{dash}/>'
            )
            if len(run) == 1:
                drawn.append(f'<circle cx="{edge[0][0]:.1f}" cy="{edge[0][1]:.1f}" r="2" fill="{tone}"/>')
        names.append(f'<span style="color:{tone}">■ {escape(one.name)}</span>')
    return f'<svg width="{width}" height="{height}" font-size="11">{"".join(drawn)}</svg><div class="legend">{"".join(names[:14])}</div>'


def _runs(points: list[tuple[float, float]], panel: Any) -> list[list[tuple[float, float]]]:
    """Parts without a hole: Grafana leaves one where a step has no value (`spanNulls` is off)."""
    assert not panel["fieldConfig"]["defaults"].get("custom", {}).get("spanNulls")
    step = min((after[0] - before[0] for before, after in pairwise(points)), default=60.0)
    runs = [[points[0]]]
    for before, after in pairwise(points):
        if after[0] - before[0] > 1.5 * step:
            runs.append([])
        runs[-1].append(after)
    return runs


def _points(edge: list[tuple[float, float]]) -> str:
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in edge)


def _none(panel: Any) -> str:
    return f'<div class="none">{escape(panel["fieldConfig"]["defaults"].get("noValue", "No data"))}</div>'


DRAW: dict[str, Callable[[Any, list[list[DrawnSeries]], Span], str]] = {
    "stat": draw_stat,
    "table": draw_table,
    "timeseries": draw_timeseries,
}
