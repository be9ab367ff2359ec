"""What an observer does before it judges: the archive's days go to the judges, unless they are remembered from an earlier start.

1. Days that are only compared with are read (`streams.watch.judging` chooses them).
2. The last weeks are judged row by row, or taken from the memory (`streams.observe.detector_memory`) as far as it still holds.
3. Their outcome is remembered for the next start, but for the last days: late events may still change these.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from streams.clock import paris_day
from streams.history.marks import DayFile, note_measured
from streams.history.reading import History
from streams.observe.detector_memory import SETTLED_DAYS, keep, recall, stamps_of
from streams.observe.series import JUDGED_CUTS, Plan
from streams.observe.told import NeverSeen
from streams.watch import Array, Group, Judge
from streams.watch.judging import EPOCH, JUDGED_DAYS, KNOWN_PART_MIN, chosen_days, local_minutes


@dataclass(frozen=True, slots=True)
class Block:
    """Counts of the minutes from epoch minute `first` on (archive time): (rows of the plan, minutes), NaN where not measured."""

    first: int
    table: Array


def day_block(plan: Plan, day: DayFile) -> Block:
    """The table of one day in Paris."""
    first, end = day.minutes
    known = np.zeros(end - first)
    note_measured(known, day.hours, first, end)
    block = Block(first, plan.table(day.rows, first, known))
    for mark in day.hours:
        # An import may lack a cut: what that would tell is not known, which is not zero.
        missing = [cut for cut in JUDGED_CUTS if not mark.knows(cut)]
        rows = [row for (cut, _key), pair in plan.places.items() if cut in missing for row in pair if row >= 0]
        block.table[rows, max(mark.first_minute - first, 0) : max(mark.end_minute - first, 0)] = np.nan
    return block


def blocks(history: History, plan: Plan, days: Sequence[date]) -> Iterator[Block]:
    """The tables of these days; those of which nothing is known are left out."""
    found = history.each_day(days, JUDGED_CUTS, with_sketches=False)
    return (day_block(plan, day) for day in found if day is not None and day.measured_minutes)


@dataclass(slots=True)
class DayAssembler:
    """Puts blocks together into the local days of a group; `learn` is given each that is known well enough, in order."""

    group: Group
    learn: Callable[[date, Array], None]
    _open: dict[date, Array] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        """The next block; blocks come in order, with gaps."""
        step = self.group.step_minutes
        counts = block.table[self.group.rows]
        if step > 1:
            counts = counts[:, : counts.shape[1] // step * step].reshape(len(counts), -1, step).sum(axis=2)
        local = local_minutes(block.first, counts.shape[1], step, self.group.zone)
        days, slots = local // 1440, local % 1440 // step
        for number in np.unique(days).tolist():
            rows = days == number
            day = EPOCH + timedelta(days=number)
            known = self._open.setdefault(day, np.full((len(counts), 1440 // step), np.nan))
            known[:, slots[rows]] = counts[:, rows]
        newest = EPOCH + timedelta(days=int(days.max()))
        for day in sorted(self._open):
            if np.isfinite(self._open[day][0]).mean() >= (1.0 if day == newest else KNOWN_PART_MIN):
                self.learn(day, self._open.pop(day))
            elif day < newest - timedelta(days=1):
                del self._open[day]


logger = logging.getLogger(__name__)

#: For so long after counting began a visitor who was there before counts as one who arrives: what is counted then is no measure.
COLD_MINUTES = 30


@dataclass(slots=True)
class Loading:
    """Feeds the judges. `cold` are epoch minutes of archive time that are not judged.

    `goes_on` is called after each day; `done` of `days` are read. What an earlier start left behind is taken only where it `recalls`.
    """

    plan: Plan
    never: NeverSeen
    cold: range | None
    goes_on: Callable[[], None]
    recalls: bool = True
    fed: int = 0
    days: int = 0
    done: int = 0

    def empty(self, first: int) -> list[Judge]:
        """Judges that know nothing, and judge from minute `first` on."""
        self.fed = first
        return [Judge(group, first) for group in self.plan.groups]

    def load(self, history: History, key: str, today: date, settled: int | None) -> list[Judge]:
        """Judges that know the archive, fed up to `fed`: no further than the settled minutes of today.

        Raises:
            VigieError: Redis does not answer, the archive cannot be read, or the observer stops.
        """
        held = [day for day in history.archive.dates() if day <= today]
        files = stamps_of({day: history.archive.path(day) for day in held})
        oldest = today - timedelta(days=JUDGED_DAYS)
        known = recall(history.archive.directory, key, files, oldest, self.plan.groups) if self.recalls else None
        calendars = {id(group.keys_of): group.keys_of for group in self.plan.groups}.values()
        learned, judged = chosen_days(held, calendars, min(oldest, known.first) if known else oldest)
        judges = self.empty(paris_day(judged[0] if judged else today)[0])
        left = [day for day in judged if not known or day not in known.files]
        self.days = len(learned) + len(left)
        self._learn(judges, blocks(history, self.plan, learned))
        if known:
            for judge, state in zip(judges, known.states, strict=True):
                judge.resume(state)
            self.fed = known.fed
        last = today - timedelta(days=SETTLED_DAYS)
        early = [day for day in left if day < last]
        self._judge(judges, blocks(history, self.plan, early), settled)
        of_early = {day: files[day] for day in judged if day < last and day in files}
        if early and (known is None or set(of_early) - set(known.files)):
            keep(history.archive.directory, key, of_early, self.fed, judges)
        self._judge(judges, blocks(history, self.plan, left[len(early) :]), settled)
        logger.info(
            "the detector knows %d days, judged %d of them, and remembered %d",
            len(learned) + len(judged), len(left), len(judged) - len(left),
        )  # fmt: skip
        return judges

    def feed(self, judges: Sequence[Judge], block: Block) -> None:
        """Judge minutes, and tell nobody."""
        warm = self.warm(block)
        for judge in judges:
            judge.feed(block.first, warm.table)
        self.never.feed(block.first, block.table)
        self.fed = block.first + block.table.shape[1]

    def warm(self, block: Block) -> Block:
        """A block without its cold minutes."""
        minutes = block.table.shape[1]
        if self.cold is None or block.first >= self.cold.stop or block.first + minutes <= self.cold.start:
            return block
        table = block.table.copy()
        table[:, max(0, self.cold.start - block.first) : self.cold.stop - block.first] = np.nan
        return Block(block.first, table)

    def unknown(self, minutes: int) -> Block:
        """The next minutes, of which nobody knows anything."""
        return Block(self.fed, np.full((self.plan.rows, minutes), np.nan))

    def _learn(self, judges: Sequence[Judge], days: Iterable[Block]) -> None:
        learners = [DayAssembler(judge.group, judge.learn) for judge in judges]
        for block in days:
            for learner in learners:
                learner.add(block)
            self.never.feed(block.first, block.table)
            self._count()

    def _judge(self, judges: Sequence[Judge], days: Iterable[Block], settled: int | None) -> None:
        for block in days:
            known_to = block.first + int(np.flatnonzero(np.isfinite(block.table[0]))[-1]) + 1
            end = known_to if settled is None else min(known_to, settled)
            while self.fed < block.first:  # days that nobody measured
                self.feed(judges, self.unknown(min(block.first - self.fed, 1440)))
            if end > self.fed:
                self.feed(judges, Block(self.fed, block.table[:, self.fed - block.first : end - block.first]))
            self._count()

    def _count(self) -> None:
        self.done += 1
        self.goes_on()


#: The archive's directory is listed once in so many seconds; days that keep coming are waited for.
LOOK_SECONDS = 10.0


class Arrivals:
    """Says when the archive must be read anew: days of the past reach it while an observer runs, by an import or a backfill.

    `held` were read. Days from `today` on are those that observers archive themselves. `stamp` changes when a backfill is through, which
    may have added to days that were read.
    """

    def __init__(self, held: Iterable[date], today: date, stamp: bytes = b"") -> None:
        self._today = today
        self._read = self._seen = (self._past(held), stamp)
        self._looked = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether to look at all; `now` in monotonic seconds."""
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        return True

    def came(self, held: Iterable[date], stamp: bytes = b"") -> bool:
        """Whether days of the past came that were not read, or were added to, and nothing since the last look."""
        before, self._seen = self._seen, (self._past(held), stamp)
        is_new = bool(self._seen[0] - self._read[0]) or stamp != self._read[1]
        return is_new and self._seen == before

    def _past(self, held: Iterable[date]) -> frozenset[date]:
        return frozenset(day for day in held if day < self._today)
