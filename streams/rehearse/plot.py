"""A page that shows counts, what was expected and the alerts, in French: one drawing of everything, then one of each alert."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streams.pages import french, render
from streams.rehearse.counts_file import CountsGrid
from streams.rehearse.judge_rows import Found, Rehearsal
from streams.watch import Array

WIDTH, HEIGHT, MARGIN = 1100, 220, 46
#: Points of a drawing: more would be less than a pixel each.
POINTS_MAX = 1000
#: Alerts that are drawn one by one, the first ones; all are in the table.
DETAILS_MAX = 40
#: The upper edge of the band is drawn up to so many times the highest count: a wide one would press the counts flat.
BAND_SHOWN_MAX = 1.5
#: Series that are drawn, those with the most alerts.
SERIES_MAX = 30
#: Colours of lines and grounds, and what they are; then the name and the colour of each kind of alert.
MEASURED, EXPECTED, BAND = "#292524", "#16a34a", "#bbf7d0"
COLOURS = ((MEASURED, "mesuré"), (EXPECTED, "attendu"), (BAND, "bande attendue"))
KINDS = {"surge": ("hausse", "#c2410c"), "drop": ("chute", "#1d4ed8"), "silence": ("silence", "#6b21a8")}
LEGEND = (*COLOURS, *((colour, label) for label, colour in KINDS.values()))


def plot_page(name: str, counts: CountsGrid, rehearsal: Rehearsal) -> str:
    """The page; `name` says what was judged."""
    alerts, rows = rehearsal.alerts, counts.values.shape[1]
    shown = sorted(range(len(counts.scopes)), key=lambda one: -sum(found.series == one for found in alerts))
    return render(
        "rehearse/rehearsal.html",
        title=f"Répétition : {name}",
        name=name,
        counts=counts,
        alerts=alerts,
        legend_of=LEGEND,
        kinds=KINDS,
        where=partial(_where, counts),
        series=[(one, drawing(counts, rehearsal, one, 0, rows)) for one in sorted(shown[:SERIES_MAX])],
        details=[
            (found, drawing(counts, rehearsal, found.series, *around(counts, found))) for found in alerts[:DETAILS_MAX]
        ],
    )


def _where(counts: CountsGrid, series: int) -> str:
    scope = counts.scopes[series]
    return " · ".join(filter(None, (scope.region and f"région {scope.region}", scope.service))) or "Toutes les visites"


def around(counts: CountsGrid, found: Found) -> tuple[int, int]:
    """The rows [begin, until) that show an alert with what lies around it."""
    rows = max(3 * (found.last - found.start + 1), 8 * 60 // counts.step_minutes, 8)
    return max(0, found.start - rows), min(counts.values.shape[1], found.last + rows)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What `drawing.html` draws: `alerts` (x, width, colour), the `band`'s outlines, `lines` (colour, points of what is known in a row),
    `levels` (y, text) and `times` (x, anchor, text). A point is the mean of `minutes_a_point`.
    """

    alerts: list[tuple[float, float, str]]
    band: list[str]
    lines: list[tuple[str, list[str]]]
    levels: list[tuple[float, str]]
    times: list[tuple[float, str, str]]
    minutes_a_point: int


def drawing(counts: CountsGrid, rehearsal: Rehearsal, series: int, begin: int, until: int) -> Drawing:
    """The rows [begin, until) of a series, with what was expected and the alerts among them."""
    size = max(1, -(-(until - begin) // POINTS_MAX))
    columns = (counts.values, rehearsal.expected, rehearsal.lower, rehearsal.upper)
    seen, expected, lower, upper = (_means(column[series, begin:until], size) for column in columns)
    highest = float(np.nan_to_num([seen, expected]).max(initial=1.0))  # what is not known is nothing high
    highest = max(highest, min(float(np.nan_to_num(upper).max(initial=0.0)), BAND_SHOWN_MAX * highest))
    scale = _Scale(len(seen), min(highest * 1.08, 1e15))
    alerts = []
    for found in rehearsal.alerts:
        if found.series == series and found.last >= begin and found.start < until:
            left, right = scale.x((found.start - begin) / size), scale.x((found.last + 1 - begin) / size)
            alerts.append((left, max(right - left, 1.5), KINDS[found.kind.value][1]))
    band = [
        " ".join([*scale.points(upper, run), *reversed(scale.points(lower, run))])
        for run in _runs(np.isfinite(lower) & np.isfinite(upper))
    ]
    lines = [(colour, scale.strokes(values)) for colour, values in ((EXPECTED, expected), (MEASURED, seen))]
    return Drawing(
        alerts, band, lines, scale.levels(), scale.times(counts.texts[begin:until]), size * counts.step_minutes
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where places and values lie."""

    places: int
    highest: float

    def x(self, place: float) -> float:
        return MARGIN + 8 + (WIDTH - MARGIN - 16) * min(max(place, 0.0), self.places) / self.places

    def y(self, value: float) -> float:
        return HEIGHT - MARGIN + 8 - (HEIGHT - MARGIN) * min(value / self.highest, 1.0)

    def points(self, values: Array, run: list[int]) -> list[str]:
        return [f"{self.x(i + 0.5):.1f},{self.y(float(values[i])):.1f}" for i in run]

    def strokes(self, values: Array) -> list[str]:
        """Points of what is known in a row; one that stands alone comes twice, and its round ends make a dot of it."""
        return [" ".join(self.points(values, run if len(run) > 1 else run * 2)) for run in _runs(np.isfinite(values))]

    def levels(self) -> list[tuple[float, str]]:
        """Zero, the half and the highest value."""
        digits = 0 if self.highest >= 10 else 1
        values = [self.highest / 1.08 * part for part in (0.0, 0.5, 1.0)]
        return [(self.y(value) + 4, french.decimal(value, digits)) for value in values]

    def times(self, texts: tuple[str, ...]) -> list[tuple[float, str, str]]:
        """A few of the times that are known, none over another."""
        known = [i for i, text in enumerate(texts) if text]
        found: list[tuple[float, str, str]] = []
        wanted = {known[int(part * (len(known) - 1))] for part in (0.0, 0.25, 0.5, 0.75, 1.0) if known}
        for place in sorted(_whole_hour(texts, place) for place in wanted):
            x = self.x(place * self.places / len(texts))
            if not found or x - found[-1][0] >= 150:
                found.append((x, "start" if x < 120 else "end" if x > WIDTH - 120 else "middle", _told(texts[place])))
        return found


def _whole_hour(texts: tuple[str, ...], place: int) -> int:
    """The place of the last whole hour, if there is one among the 60 rows before."""
    return next((each for each in range(place, max(place - 60, -1), -1) if texts[each][13:16] == ":00"), place)


def _told(text: str) -> str:
    """A time as French writes it; what is none, or a day, as the file has it."""
    try:
        return f"{datetime.fromisoformat(text):%d/%m/%Y %H:%M}" if ":" in text else text
    except ValueError:
        return text


def _runs(known: NDArray[np.bool_]) -> list[list[int]]:
    places = np.flatnonzero(known)
    return [run.tolist() for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(run)]


def _means(values: Array, size: int) -> Array:
    """Means of `size` rows each; NaN where none is known."""
    padded = np.concatenate([values, np.full(-len(values) % size, np.nan)]).reshape(-1, size)
    return np.asarray(np.ma.masked_invalid(padded).mean(axis=1).filled(np.nan))
