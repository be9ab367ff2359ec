"""Grafana's boards as pictures, without Grafana: each panel's queries are asked of a Prometheus and drawn as its type would.

    python -m tests.board_pictures --prometheus http://127.0.0.1:19090 [--out docs/img] [--hours 1]

It reads the dashboard files, so a panel that asks nothing, or whose figures have no unit or no name, is seen here. It draws what these
boards use (stat, time series, table; units, thresholds, mappings, overrides by name) and refuses what it does not know.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from streams.clock import PARIS
from tests.board_queries import CHOSEN, boards, panels
from tests.servers.browser import WALL, chromium

COLUMN, ROW = 76, 34  # pixels of one unit of a board's grid
COLOURS = ("#1f78b4", "#e6842a", "#33a02c", "#b2182b", "#6a3d9a", "#b15928", "#555555", "#17becf", "#e377c2", "#8c6d31")
POINTS = 240
_STYLE = f"""
body {{ margin: 0; background: #f4f5f5; font: 13px "DejaVu Sans", sans-serif; color: #24292e; width: {24 * COLUMN}px }}
h1 {{ font-size: 20px; margin: 10px 12px }}
#grid {{ position: relative }}
section {{ position: absolute; box-sizing: border-box; border: 3px solid #f4f5f5; background: #fff; padding: 6px 8px; overflow: hidden }}
h2 {{ font-size: 13px; margin: 0 0 4px }}
.stats {{ display: flex; height: calc(100% - 26px); align-items: center; justify-content: space-around; text-align: center }}
.stats b {{ font-size: 30px; display: block; font-weight: 600 }}
.none {{ color: #888; padding: 20px; text-align: center }}
table {{ border-collapse: collapse; width: 100% }}
th {{ text-align: left; color: #1f60c4 }} td, th {{ border-bottom: 1px solid #e4e5e6; padding: 3px 6px }} td.n, th.n {{ text-align: right }}
.legend span {{ margin-right: 12px; white-space: nowrap }}
"""


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


def ask(prometheus: str, panel: Any, span: Span) -> list[list[DrawnSeries]]:
    """For each target of a panel, its series."""
    found = []
    for target in panel["targets"]:
        text = target["expr"]
        for name, value in CHOSEN.items():
            text = text.replace(name, value)
        if target.get("instant"):
            path, given = "query", {"query": text, "time": span.end}
        else:
            step = max(60, int((span.end - span.first) / POINTS / 60) * 60)
            path, given = "query_range", {"query": text, "start": span.first, "end": span.end, "step": step}
        with urllib.request.urlopen(
            f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(given)}", timeout=30
        ) as answer:
            result = json.load(answer)["data"]["result"]
        found.append(
            [
                DrawnSeries(
                    _legend(target, one["metric"]),
                    one["metric"],
                    [(float(at), float(value)) for at, value in one.get("values") or [one["value"]]],
                )
                for one in result
            ]
        )
    return found


def _legend(target: Any, labels: dict[str, str]) -> str:
    form = target.get("legendFormat") or "__auto"
    if form != "__auto":
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), form)
    own = {name: value for name, value in labels.items() if name != "__name__"}
    return ", ".join(own.values()) or labels.get("__name__", "")


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
        if override["matcher"] != {"id": "byName", "options": name}:
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
    left, bottom = 74, 18
    defaults = panel["fieldConfig"]["defaults"]
    values = [value for one in series for _, value in one.points if value == value]
    low = min([*values, defaults.get("min", min(values, default=0))])
    high = max([*values, low + 1e-9]) * 1.05 or 1.0

    def x(at: float) -> float:
        return left + (at - span.first) / (span.end - span.first) * (width - left)

    def y(value: float) -> float:
        return (height - bottom) * (1 - (value - low) / (high - low))

    drawn, names = [], []
    for number in range(4):
        value = low + (high - low) * number / 4
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
                f'<polyline points="{_points(edge)}" fill="none" stroke="{tone}" stroke-width="{line}"{dash}/>'
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


def page(title: str, board: Any, prometheus: str, span: Span) -> str:
    """One board as a page."""
    parts = []
    bottom = 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        bottom = max(bottom, place["y"] + place["h"])
        drawn = "" if panel["type"] == "row" else DRAW[panel["type"]](panel, ask(prometheus, panel, span), span)
        parts.append(
            f'<section style="left:{place["x"] * COLUMN}px; top:{place["y"] * ROW}px; width:{place["w"] * COLUMN}px; '
            f'height:{place["h"] * ROW}px"><h2>{escape(panel["title"])}</h2>{drawn}</section>'
        )
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><h1>{escape(title)}</h1>'
        f'<div id="grid" style="height:{bottom * ROW}px">{"".join(parts)}</div>'
    )


def take_boards(prometheus: str, out: Path, hours: float = 1.0) -> list[Path]:
    """A picture of each board, named after its file: `tableau-direct.png`."""
    span = Span(time.time() - hours * 3600, time.time())
    pages = {board["uid"]: page(title, board, prometheus, span) for title, board in boards().items()}
    assert all(panels(board) for board in boards().values())
    written = []
    with chromium() as browser:
        for uid, text in pages.items():
            opened = browser.new_page(viewport={"width": 24 * COLUMN, "height": WALL[1]})
            opened.set_content(text)
            written.append(out / f"tableau-{uid.removeprefix('vigie-')}.png")
            opened.screenshot(path=written[-1], full_page=True)
            opened.close()
    return written


def main() -> None:
    """Draw all boards."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prometheus", default="http://127.0.0.1:19090")
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    parser.add_argument("--hours", type=float, default=1.0)
    arguments = parser.parse_args()
    for path in take_boards(arguments.prometheus, arguments.out, arguments.hours):
        print(path)


if __name__ == "__main__":
    main()
