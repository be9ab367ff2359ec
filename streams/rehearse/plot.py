"""A page that shows counts, what was expected and the alerts: one drawing of everything, then one of each alert.

In French, for operators.
"""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np

from streams.errors import InputError
from streams.rehearse.counts_file import CountsGrid
from streams.rehearse.judge_rows import Found, Rehearsal
from streams.watch import Array

WIDTH, HEIGHT, MARGIN = 1100, 220, 46
#: Points of a drawing: more would be less than a pixel each.
POINTS_MAX = 1000
#: Alerts that are drawn one by one, the first ones; all are in the table.
DETAILS_MAX = 40
#: Series that are drawn, those with the most alerts.
SERIES_MAX = 30
#: What lines and grounds of a drawing are; then its kinds of alerts, with their colours.
COLOURS = (("mesuré", "#292524"), ("attendu", "#16a34a"), ("bande attendue", "#bbf7d0"))
KINDS = {"surge": ("hausse", "#c2410c"), "drop": ("chute", "#1d4ed8"), "silence": ("silence", "#6b21a8")}
_STYLE = """body{font:15px/1.45 system-ui,sans-serif;margin:24px auto;max-width:1120px;padding:0 12px;color:#1c1917}
h1{font-size:22px}h2{font-size:17px;margin:28px 0 4px}table{border-collapse:collapse;width:100%}td,th{padding:3px 8px;text-align:left;
border-bottom:1px solid #e7e5e4}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto;background:#fafaf9}
.k{display:inline-block;width:12px;height:12px;border-radius:2px;vertical-align:-1px;margin:0 4px 0 14px}p{margin:4px 0}.s{color:#57534e}"""


def write_plot(path: Path, name: str, counts: CountsGrid, rehearsal: Rehearsal) -> None:
    """Write the page.

    Raises:
        InputError: the file cannot be written.
    """
    shown = sorted(range(len(counts.scopes)), key=lambda one: -sum(found.series == one for found in rehearsal.alerts))
    parts = [_head(name, counts, rehearsal)]
    for series in sorted(shown[:SERIES_MAX]):
        parts.append(f"<h2>{html.escape(_where(counts, series))}</h2>")
        alerts = [found for found in rehearsal.alerts if found.series == series]
        parts.append(drawing(counts, rehearsal, series, begin=0, until=counts.values.shape[1], alerts=alerts))
    if len(shown) > SERIES_MAX:
        parts.append(f"<p class=s>Les {len(shown) - SERIES_MAX} autres séries ne sont pas dessinées.</p>")
    parts += [_detail(counts, rehearsal, found) for found in rehearsal.alerts[:DETAILS_MAX]]
    if len(rehearsal.alerts) > DETAILS_MAX:
        parts.append(f"<p class=s>Seules les {DETAILS_MAX} premières alertes sont dessinées une à une.</p>")
    parts.append(_table(counts, rehearsal))
    try:
        path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write --plot {path}: {error.strerror or error}") from None


def _head(name: str, counts: CountsGrid, rehearsal: Rehearsal) -> str:
    texts = [text for text in (counts.texts[0], counts.texts[-1])]
    keys = "".join(f"<span class=k style='background:{color}'></span>{label}" for label, color in KINDS.values())
    number = len(rehearsal.alerts)
    return (
        f"<!doctype html><html lang=fr><meta charset=utf-8><title>Répétition : {html.escape(name)}</title><style>{_STYLE}</style>"
        f"<h1>Répétition du détecteur : {html.escape(name)}</h1>"
        f"<p>{len(counts.scopes)} série{'s' * (len(counts.scopes) > 1)}, du {html.escape(texts[0])} au {html.escape(texts[1])}, pas de "
        f"{counts.step_minutes} min ; {number} alerte{'s' * (number > 1)}.</p>"
        "<p class=s><span class=k style='background:#292524;margin-left:0'></span>mesuré<span class=k style='background:#16a34a'></span>"
        f"attendu<span class=k style='background:#bbf7d0'></span>bande attendue{keys}</p>"
    )


def _where(counts: CountsGrid, series: int) -> str:
    scope = counts.scopes[series]
    return (
        " · ".join(part for part in (scope.region and f"région {scope.region}", scope.service) if part)
        or "Toutes les visites"
    )


def _detail(counts: CountsGrid, rehearsal: Rehearsal, found: Found) -> str:
    begin, until = around(counts, found)
    alerts = [other for other in rehearsal.alerts if other.series == found.series]
    return f"<h2>{_title(counts, found)}</h2>" + drawing(
        counts, rehearsal, found.series, begin=begin, until=until, alerts=alerts
    )


def around(counts: CountsGrid, found: Found) -> tuple[int, int]:
    """The rows [begin, until) that show an alert with what lies around it."""
    rows = max(3 * (found.last - found.start + 1), 8 * 60 // counts.step_minutes, 8)
    return max(0, found.start - rows), min(counts.values.shape[1], found.last + rows)


def _title(counts: CountsGrid, found: Found) -> str:
    label = KINDS[found.kind.value][0].capitalize()
    ratio = "" if found.ratio is None or found.kind == "silence" else f", × {_french(found.ratio, 2)}"
    learning = ", en apprentissage" if found.learning else ""
    when = f"{counts.texts[found.start]} – {counts.texts[found.last]}"
    return html.escape(f"{label} {when}, {_where(counts, found.series)}{ratio}{learning}")


def drawing(
    counts: CountsGrid, rehearsal: Rehearsal, series: int, *, begin: int, until: int, alerts: list[Found]
) -> str:
    """The rows [begin, until) of a series, with what was expected and the alerts among them, as SVG."""
    columns = [
        one[series, begin:until] for one in (counts.values, rehearsal.expected, rehearsal.lower, rehearsal.upper)
    ]
    size = max(1, -(-(until - begin) // POINTS_MAX))
    seen, expected, lower, upper = (_means(column, size) for column in columns)
    highest = max(_top(seen), _top(expected), 1.0)
    scale = _Scale(len(seen), min(highest * 1.08, 1e15))
    parts = [f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img>"]
    for found in alerts:
        if found.last >= begin and found.start < until:
            left, right = scale.x((found.start - begin) / size), scale.x((found.last + 1 - begin) / size)
            color = KINDS[found.kind.value][1]
            parts.append(
                f"<rect x='{left:.1f}' y='8' width='{max(right - left, 1.5):.1f}' height='{HEIGHT - MARGIN}' "
                f"fill='{color}' opacity='.28'/>"
            )
    parts.append(scale.band(lower, upper))
    parts.append(scale.line(expected, "#16a34a", 1.2))
    parts.append(scale.line(seen, "#292524", 1.1))
    parts.append(scale.axes([counts.texts[i] for i in range(begin, until)]))
    return "".join(parts) + "</svg>"


class _Scale:
    def __init__(self, points: int, highest: float) -> None:
        self.points, self.highest = points, highest

    def x(self, place: float) -> float:
        return MARGIN + 8 + (WIDTH - MARGIN - 16) * min(max(place, 0.0), self.points) / self.points

    def y(self, value: float) -> float:
        return HEIGHT - MARGIN + 8 - (HEIGHT - MARGIN) * min(value / self.highest, 1.0)

    def line(self, values: Array, color: str, width: float) -> str:
        """A line that is broken where nothing is known; a point that stands alone is a dot."""
        parts = []
        for run in _runs(np.isfinite(values)):
            points = " ".join(f"{self.x(i + 0.5):.1f},{self.y(float(values[i])):.1f}" for i in run)
            if len(run) == 1:
                x, y = points.split(",")
                parts.append(f"<circle cx='{x}' cy='{y}' r='1.3' fill='{color}'/>")
            else:
                parts.append(f"<polyline points='{points}' fill='none' stroke='{color}' stroke-width='{width}'/>")
        return "".join(parts)

    def band(self, lower: Array, upper: Array) -> str:
        parts = []
        for run in _runs(np.isfinite(lower) & np.isfinite(upper)):
            there = [f"{self.x(i + 0.5):.1f},{self.y(float(upper[i])):.1f}" for i in run]
            back = [f"{self.x(i + 0.5):.1f},{self.y(float(lower[i])):.1f}" for i in reversed(run)]
            parts.append(f"<polygon points='{' '.join(there + back)}' fill='#bbf7d0' opacity='.6'/>")
        return "".join(parts)

    def axes(self, texts: list[str]) -> str:
        parts = []
        for part in (0.0, 0.5, 1.0):
            value = self.highest / 1.08 * part
            text = _french(value, 0 if self.highest >= 10 else 1)
            parts.append(
                f"<text x='{MARGIN}' y='{self.y(value) + 4:.0f}' font-size='11' text-anchor='end' fill='#57534e'>{text}</text>"
            )
        known = [i for i, text in enumerate(texts) if text]
        shown = -1e9
        for place in sorted(
            {known[int(part * (len(known) - 1))] for part in (0.0, 0.25, 0.5, 0.75, 1.0)} if known else ()
        ):
            x = self.x(place * self.points / len(texts))
            if x - shown < 150:
                continue
            shown = x
            anchor = "start" if x < 120 else "end" if x > WIDTH - 120 else "middle"
            parts.append(
                f"<text x='{x:.0f}' y='{HEIGHT - 14}' font-size='11' text-anchor='{anchor}' "
                f"fill='#57534e'>{html.escape(texts[place])}</text>"
            )
        return "".join(parts)


def _runs(known: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[list[int]]:
    places = np.flatnonzero(known)
    return [run.tolist() for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(run)]


def _means(values: Array, size: int) -> Array:
    """Means of `size` rows each; NaN where none is known."""
    padded = np.concatenate([values, np.full(-len(values) % size, np.nan)]).reshape(-1, size)
    known = np.isfinite(padded)
    number = known.sum(axis=1)
    return np.where(number > 0, np.where(known, padded, 0.0).sum(axis=1) / np.maximum(number, 1), np.nan)


def _top(values: Array) -> float:
    return float(np.nanmax(values)) if np.isfinite(values).any() else 0.0


def _table(counts: CountsGrid, rehearsal: Rehearsal) -> str:
    rows = "".join(
        f"<tr><td>{KINDS[one.kind.value][0]}<td>{html.escape(counts.texts[one.start])}<td>{html.escape(counts.texts[one.last])}"
        f"<td>{html.escape(_where(counts, one.series))}<td class=n>{_french(one.observed, 0)}<td class=n>{_french(one.expected, 0)}"
        f"<td class=n>{'' if one.ratio is None else _french(one.ratio, 2)}"
        f"<td class=n>{_french(one.score, 1) if one.score else ''}<td class=n>{_french(one.usual, 1) if one.score else ''}"
        for one in rehearsal.alerts
    )
    return (
        "<h2>Toutes les alertes</h2><table><tr><th>Nature<th>Début<th>Fin<th>Où<th class=n>Mesuré<th class=n>Attendu"
        "<th class=n>Rapport<th class=n>Écart<th class=n>Le plus haut d'un jour ordinaire</tr>"
        f"{rows}</table></html>"
    )


def _french(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace(".", ",")
