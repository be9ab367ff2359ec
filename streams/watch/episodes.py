"""From flags of rows to alerts that begin, last and end. Pure: a state and rows in, a state and alerts out."""

from dataclasses import dataclass, replace

import numpy as np

from streams.watch.alert_types import AlertKind
from streams.watch.baseline import EXPECTED_MIN
from streams.watch.flags import FRESH_PART, Rows
from streams.watch.score import QUANTUM, Piece
from streams.watch.standard import Standard

KINDS = (AlertKind.SURGE, AlertKind.DROP, AlertKind.SILENCE)
#: A silence begins with the row in which so many counts were to have come: a night without visits is none, and a count less is chance.
SILENCE_BEGINS_EXPECTED = 1.0


@dataclass(frozen=True, slots=True)
class Episode:
    """An alert by row numbers, which count from the panel's first row and never wrap. `last` is the latest row that deviates.

    `score`: the highest when it was raised, where ordinary days of the series reach `usual`; both 0 of a silence.
    """

    kind: AlertKind
    start: int
    raised: int
    last: int
    learning: bool
    score: float = 0.0
    usual: float = 0.0


@dataclass(slots=True)
class Track:
    """The open episode of one series and kind, how many rows it has been calm, and the last row of the one before."""

    open: Episode | None = None
    calm: int = 0
    before: int = -1


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an episode in one row: it was raised, or it ended (`ended`)."""

    series: int
    row: int
    episode: Episode
    ended: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows that were judged; `base` is the number of the first of them in the panel."""

    rows: Rows
    piece: Piece
    day: Standard
    base: int


def advance(tracks: list[list[Track]], judged: Judged) -> list[Change]:
    """Move the tracks (series x kind) over judged rows."""
    changes: list[Change] = []
    busy = np.asarray(judged.rows.passing.any(axis=(0, 2)) | judged.rows.silent.any(axis=1))
    for series, kinds in enumerate(tracks):
        if busy[series] or any(track.open for track in kinds):
            changes += _Walk(series, kinds, judged).run()
    changes.sort(key=lambda change: (change.row, change.series, change.episode.kind))
    return changes


class _Walk:
    """One series over the judged rows; hops from event to event."""

    def __init__(self, series: int, tracks: list[Track], judged: Judged) -> None:
        rows, stretch, day = judged.rows, judged.piece.stretch, judged.day
        self.series, self.tracks, self.scales, self.learning = series, tracks, day.scales, day.learning
        self.first, self.base = judged.piece.first, judged.base
        self.raised = [rows.passing[0, series] > 0, rows.passing[1, series] > 0, rows.silent[series]]
        self.passing, self.alone = rows.passing[:, series], rows.alone[:, series]
        self.over = [~rows.beyond[0, series], ~rows.beyond[1, series], rows.heard[series]]
        self.quiet = rows.quiet[:, series]
        self.length = [rows.length[0, series], rows.length[1, series], rows.silent_rows[series]]
        hours = judged.piece.slots * day.scales.step_minutes // 60
        group = rows.leading[:, series]
        self.scores = np.take_along_axis(rows.score[:, :, series], group[:, None], axis=1)[:, 0]
        self.usual = np.take_along_axis(day.limits.usual[:, :, series][..., hours], group[:, None], axis=1)[:, 0]
        self.counts, self.expected = stretch.counts[series], stretch.expected[series]
        self.known = np.isfinite(self.counts) & np.isfinite(self.expected)
        self.least = day.least
        self.edges = (self.least.ratio_surge**FRESH_PART, self.least.ratio_drop**FRESH_PART)
        self.changes: list[Change] = []

    def run(self) -> list[Change]:
        silence, raised = self.tracks[2], np.logical_or.reduce(self.raised)
        total, at = len(raised), 0
        while at < total:
            if not any(track.open for track in self.tracks):
                later = np.flatnonzero(raised[at:])
                if not len(later):
                    break
                at += int(later[0])
            if self.known[self.first + at]:
                self._step(2, at)
                for direction in range(2):
                    if silence.open is None:
                        self._step(direction, at)
            at += 1
        return self.changes

    def _step(self, kind: int, at: int) -> None:
        track, row = self.tracks[kind], self.base + at
        if track.open is None:
            if self.raised[kind][at] and self._window(kind, at) and (kind != 2 or self._is_silent_for_a_drop(at)):
                self._raise(kind, at)
            return
        old = kind != 2 and row - track.open.start >= self.scales.lasting[0]
        if not self.over[kind][at] and not (old and self.quiet[kind][at]):
            track.calm = 0
            track.open = replace(track.open, last=row)
            return
        track.calm += 1
        if track.calm >= (1 if kind == 2 else self.scales.calm):
            self._end(kind, row)

    def _raise(self, kind: int, at: int) -> None:
        track, row = self.tracks[kind], self.base + at
        start = self._onset(kind, at)
        score, usual = (0.0, 0.0) if kind == 2 else (float(self.scores[kind][at]), float(self.usual[kind][at]))
        track.open = Episode(KINDS[kind], start, row, row, self.learning, score, usual)
        track.calm = 0
        self.changes.append(Change(self.series, row, track.open, False))
        if kind == 2:
            self._drop_gives_way(start, row)

    def _is_silent_for_a_drop(self, at: int) -> bool:
        """Whether nothing at all is news: in a drop that lasts, what is left of it must promise as much as a silence needs.

        Else each empty row of its nights would end it.
        """
        drop = self.tracks[1].open
        if drop is None:
            return True
        here = self.first + at
        empty = here - int(self.length[2][at])
        rows = slice(max(0, here - min(self.base + at - drop.start, self.scales.lookback)), empty + 1)
        left = float(self.counts[rows][self.known[rows]].sum())
        if left == 0.0:
            return True
        promised = float(self.expected[empty + 1 : here + 1][self.known[empty + 1 : here + 1]].sum())
        return promised * left >= self.least.silence_min * float(self.expected[rows][self.known[rows]].sum())

    def _drop_gives_way(self, start: int, row: int) -> None:
        """A drop that becomes silence ends where the silence begins, and a surge has ended anyway."""
        for other in (0, 1):
            track = self.tracks[other]
            if track.open is not None:
                track.open = replace(track.open, last=self._measured_before(start, track.open.start))
                self._end(other, row)

    def _measured_before(self, row: int, start: int) -> int:
        """The last measured row before `row`, `start` at the least."""
        places = np.flatnonzero(self.known[: max(row - self.base + self.first, 0)])
        return max(start, self.base - self.first + int(places[-1])) if len(places) else start

    def _end(self, kind: int, row: int) -> None:
        track = self.tracks[kind]
        assert track.open is not None
        self.changes.append(Change(self.series, row, track.open, True))
        track.before, track.open, track.calm = track.open.last, None, 0

    def _window(self, kind: int, at: int) -> int:
        """Rows of the window that raises; 0 when all reach back into an episode before, which was told already.

        Where only the rows before the window do, it must deviate from comparable days alone: what ended is no level.
        """
        rows = int(self.length[kind][at])
        if kind == 2:  # rows without any count: a drop that was told of some of them is the same thing
            return min(rows, self.scales.lookback)
        other = self.tracks[1 - kind].open  # it is ending: the last row that deviates was told
        told = max(track.before for track in self.tracks)
        free = self.base + at - (told if other is None else max(told, other.last))
        if rows + self.scales.level_reach <= free:
            return rows
        fitting = []
        for bit, length in enumerate(self.scales.windows):
            reach = length + (self.scales.level_reach if bit < len(self.scales.sudden) else 0)
            bits = int(self.passing[kind][at] if reach <= free else self.alone[kind][at])
            if bits >> bit & 1 and length <= free:
                fitting.append(length)
        return rows if rows in fitting else max(fitting, default=0)

    def _onset(self, kind: int, at: int) -> int:
        """The first row of the window that deviates: where the likelihood ratio begins to grow."""
        here = self.first + at
        low = max(0, here - self._window(kind, at) + 1)
        known = self.known[low : here + 1]
        if kind == 2:
            expected = self.expected[low : here + 1]
            # As in a silence's promise, the least that is ever expected does not count.
            hoped = np.cumsum(np.where(known & (expected > EXPECTED_MIN + QUANTUM), expected, 0.0))
            places = np.flatnonzero(known & (hoped >= SILENCE_BEGINS_EXPECTED))
        else:
            ratio = (self.counts[low : here + 1] + 0.5) / (self.expected[low : here + 1] + 0.5)
            with np.errstate(invalid="ignore"):
                beyond = ratio >= self.edges[0] if kind == 0 else ratio <= self.edges[1]
            places = np.flatnonzero(known & beyond)
        return self.base + at - (here - low) + (int(places[0]) if len(places) else here - low)
