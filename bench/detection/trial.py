"""One trial: places of a world, with and without truths, through the detector and the rivals."""

import copy
import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.detection.rivals import Days, Scores, all_scores
from bench.detection.truths import Truth, place_truths
from bench.detection.world import Span, World
from streams.watch import SENSITIVITIES, AlertKind, Array, Index, Panel
from streams.watch.judging import of_a_region

#: An alert that began so many minutes after a truth's end still found it.
AFTER_MINUTES = 5
#: Rows that are kept of a rival's scores on the ordinary year: the highest part, where thresholds lie.
KEPT_PART = 0.01
#: Alerts of one rule that lie closer together are one.
CALM_ROWS = 15
#: Rows before a truth that tell whether a rule was alarmed already.
BEFORE_ROWS = 30
OURS = "Vigie"


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert of the detector, in rows of the judged year: when it was raised and which way."""

    row: int
    kind: AlertKind
    minute: int


@dataclass(frozen=True, slots=True)
class Sparse:
    """The scores of a rule that matter, by row: (rows), (scores), both directions."""

    up: tuple[Index, Array]
    down: tuple[Index, Array]


@dataclass(frozen=True, slots=True)
class Result:
    """What a place showed. `ordinary` and `eventful` are our alerts in the year without and with truths; scores of the rivals likewise."""

    code: str
    truths: list[Truth]
    ordinary: list[Raised]
    eventful: list[Raised]
    rivals_ordinary: dict[str, Sparse]
    rivals_eventful: dict[str, Sparse]
    default_alerts: dict[str, int]
    weeks: float


@dataclass(frozen=True, slots=True)
class Period:
    """`first` of what is learned from, `judged` the first judged day, `last` the last one."""

    first: datetime.date
    judged: datetime.date
    last: datetime.date


def run_places(seed: int, codes: Sequence[str], period: Period, rivals: bool) -> list[Result]:
    """All places given; those of one clock and zone are judged as one panel."""
    world = World(seed, tuple(codes))
    groups = itertools.groupby(sorted(world.places, key=_alike), key=_alike)
    found = []
    for _, places in groups:
        spans = [world.span(place, period.first, period.last) for place in places]
        found += _run_group(world, spans, period, rivals)
    return found


def _alike(place: object) -> tuple[str, str]:
    return (place.clock.key, place.zone)  # type: ignore[attr-defined]


def _run_group(world: World, spans: list[Span], period: Period, rivals: bool) -> list[Result]:
    first = int(np.searchsorted(spans[0].dates, period.judged.toordinal()))
    placed = [place_truths(world, span, period.judged, world.seed + 1000) for span in spans]
    ordinary = np.stack([span.counts for span in spans])
    eventful = np.stack([counts for counts, _ in placed])
    panel = Panel(len(spans), 1, of_a_region(SENSITIVITIES["normal"]))
    _judge(world, panel, spans[0], ordinary, 0, first)
    raised = [
        _judge(world, copy.deepcopy(panel), spans[0], counts, first, len(spans[0].dates))
        for counts in (ordinary, eventful)
    ]
    results = []
    for number, span in enumerate(spans):
        truths = placed[number][1]
        scores: list[dict[str, Sparse]] = [{}, {}]
        defaults: dict[str, int] = {}
        if rivals:
            keys_of = world.keys_of(span.place)
            plain = all_scores(Days.of(span.dates, span.slots, ordinary[number]), ordinary[number], keys_of, first)
            scores[0] = {name: _highest(one) for name, one in plain.items()}
            defaults["grafana adaptive"] = sum(
                len(begins(np.flatnonzero(side > 1.0))) for side in _lasting(plain["grafana adaptive"])
            )
            changed = all_scores(Days.of(span.dates, span.slots, eventful[number]), eventful[number], keys_of, first)
            scores[1] = {name: _around(one, truths, first) for name, one in changed.items()}
        weeks = (len(span.dates) - first) / 10080
        mine = [[one for series, one in run if series == number] for run in raised]
        results.append(Result(span.place.region.code, truths, mine[0], mine[1], scores[0], scores[1], defaults, weeks))
    return results


def _judge(world: World, panel: Panel, span: Span, counts: Array, begin: int, end: int) -> list[tuple[int, Raised]]:
    """Judge rows begin..end day by day; (series, alert) with rows of the whole span."""
    keys_of = world.keys_of(span.place)
    edges = [begin, *(np.flatnonzero(np.diff(span.dates[begin:end])) + begin + 1).tolist(), end]
    found = []
    for low, high in itertools.pairwise(edges):
        date = datetime.date.fromordinal(int(span.dates[low]))
        panel.begin_day(date, keys_of(date))
        changes, _ = panel.judge(span.slots[low:high], counts[:, low:high])
        found += [
            (change.series, Raised(change.row, change.episode.kind, int(span.minutes[change.row])))
            for change in changes
            if not change.ended
        ]
    return found


def _lasting(scores: Scores) -> tuple[Array, Array]:
    """The score that was held for `rows` rows: the lowest of the last ones."""
    found = []
    for side in (scores.up, scores.down):
        held = side.copy()
        for back in range(1, scores.rows):
            held[back:] = np.minimum(held[back:], side[:-back])
        found.append(held)
    return found[0], found[1]


def _highest(scores: Scores) -> Sparse:
    sides = []
    for side in _lasting(scores):
        limit = np.quantile(side, 1 - KEPT_PART)
        rows = np.flatnonzero(side >= limit)
        sides.append((rows, side[rows].astype(np.float32).astype(np.float64)))
    return Sparse(sides[0], sides[1])


def _around(scores: Scores, truths: list[Truth], first: int) -> Sparse:
    spans = [np.arange(one.begin - first - BEFORE_ROWS, one.until - first + AFTER_MINUTES) for one in truths]
    rows = np.unique(np.concatenate(spans)) if spans else np.zeros(0, dtype=np.int64)
    rows = rows[(rows >= 0) & (rows < len(scores.up))]
    up, down = _lasting(scores)
    return Sparse((rows, up[rows]), (rows, down[rows]))


def begins(rows: Index) -> Index:
    """The first rows of the alerts that these rows make up."""
    if not len(rows):
        return rows
    return np.asarray(rows[np.concatenate([[True], np.diff(rows) > CALM_ROWS])])
