"""Events of one project and one day, in order of their time, through the very code of `streams.count`: a part. In a process of its own.

Append time is the running maximum of `ts`, as for events that were published at the pace at which they happened. What the counter must
remember of events before the day follows from `MemoryPlan.rewind_start_ms`: it reads them first (*warm-up*), and counts none of them. So
every day is counted by itself, on whatever processor is free, and comes out as if all had been counted from the beginning.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from streams.backfill.log_input import DayOfInput
from streams.backfill.spill import read_steps
from streams.clock import MINUTE_MS, paris_date, paris_day
from streams.count import Batch, Counting, CountingRules, Delta, MemoryPlan, PartitionCounter, Sketch
from streams.history import hll
from streams.history.compose import SCHOOL_SCOPES, USER_SCOPES, rows_of
from streams.history.day_columns import Key, Sketches
from streams.history.marks import MINUTES_AN_HOUR, DayFile, HourMark, HourSource, InputMark, Span, joined
from streams.live import MinuteCounts


@dataclass(slots=True)
class SketchBook:
    """Takes the members that deltas name. Those of another date than `day` (a region's own day is not that of Paris) are kept under a scope
    that names it, `region:2026-09-02`: `of_date` finds them for that day.
    """

    day: date
    _users: defaultdict[Key, hll.Registers] = field(default_factory=lambda: defaultdict(hll.no_registers))
    _schools: defaultdict[Key, hll.Registers] = field(default_factory=lambda: defaultdict(hll.no_registers))

    def add(self, delta: Delta) -> None:
        """Take the members of one delta, all of whose minutes lie in the day."""
        for day, sketches in delta.day_sketches.items():
            for (kind, code), members in sketches.items():
                scope = USER_SCOPES[Sketch(kind)]
                name = scope if day == self.day.isoformat() else f"{scope}:{day}"
                hll.add(self._users[name, code], members)
        schools: dict[Key, set[str]] = {}
        for minute, sketches in delta.minute_sketches.items():
            assert paris_date(minute) == self.day
            for (kind, *codes), members in sketches.items():
                if kind in SCHOOL_SCOPES:
                    schools.setdefault((SCHOOL_SCOPES[Sketch(kind)], codes[0]), set()).update(members)
        for key, found in schools.items():
            hll.add(self._schools[key], sorted(found))

    def sketches(self) -> Sketches:
        """What was taken."""
        return Sketches(
            *(
                {key: hll.sketch_of(registers) for key, registers in held.items()}
                for held in (self._users, self._schools)
            )
        )


def of_date(day: date, own: Iterable[Sketches], around: Iterable[Sketches]) -> Sketches:
    """The sketches of a day from those of its own parts and of the parts of the days before and after it."""
    users: dict[Key, list[bytes]] = {}
    schools: dict[Key, list[bytes]] = {}
    for parts, told in ((own, ""), (around, day.isoformat())):
        for part in parts:
            for (scope, code), sketch in part.users.items():
                name, _, of = scope.partition(":")
                if of == told:
                    users.setdefault((name, code), []).append(sketch)
    for part in own:
        for key, sketch in part.establishments.items():
            schools.setdefault(key, []).append(sketch)
    return Sketches(_united(users), _united(schools))


def _united(held: Mapping[Key, list[bytes]]) -> dict[Key, bytes]:
    return {key: sketches[0] if len(sketches) == 1 else hll.union(sketches) for key, sketches in held.items()}


#: Without an event within one file for so long: nobody was there, or a clock was wrong, or files were put together.
HOLE_MINUTES = 7 * 24 * 60
#: From the last event of a file to the first one of the next: a night, after which a log was rotated.
NIGHT_MINUTES = 12 * 60


def measured_spans(inputs: Iterable[Sequence[DayOfInput]]) -> list[Span]:
    """Ranges [first, end) of epoch minutes that these files of one project measured: in them what is not there is a zero.

    A file measured everything from its first event to its last, but for a hole of a week or more. From one file to the next a night may
    lie.
    """
    return joined((span for days in inputs for span in joined(map(_span, days), HOLE_MINUTES)), NIGHT_MINUTES)


def of_hour(spans: Iterable[Span], hour: int) -> tuple[Span, ...]:
    """The part of an epoch hour that was measured."""
    first, end = hour * MINUTES_AN_HOUR, (hour + 1) * MINUTES_AN_HOUR
    return tuple((max(begin, first), min(until, end)) for begin, until in spans if begin < end and until > first)


def _span(day: DayOfInput) -> Span:
    return day.first_ms // MINUTE_MS, day.last_ms // MINUTE_MS + 1


@dataclass(frozen=True, slots=True)
class PartTask:
    """What is counted: `number` is that of the project in the runs, `spans` are the minutes that its logs measured."""

    project: str
    number: int
    day: date
    inputs: tuple[InputMark, ...]
    spans: tuple[Span, ...]
    runs: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class CountedPart:
    """A part, and what has no place in it: repeats, and values that no list knows, (list, value) -> events."""

    part: DayFile
    events: int
    duplicates: int
    unseen: Mapping[tuple[str, str], int]


def lead_minutes(plan: MemoryPlan, day: date) -> tuple[int, int]:
    """The epoch minutes [first, end) before a day that a counter must know to count it."""
    first = paris_day(day)[0]
    return plan.rewind_start_ms(first * MINUTE_MS) // MINUTE_MS, first


def count_part(rules: CountingRules, task: PartTask, stop: Callable[[], bool]) -> CountedPart | None:
    """Count one day of one project; None where `stop` said so.

    Raises:
        InputError: more events in one minute than fit into memory.
    """
    counter = PartitionCounter(Counting(rules), None)
    lead_events = 0
    for ts, values in read_steps(task.runs, task.number, *lead_minutes(rules.plan, task.day)):
        lead_events += len(values)
        counter.warm(list(_batches(rules.plan, ts, values, 0)))
    book = SketchBook(task.day)
    minutes: dict[int, MinuteCounts] = {}
    unseen: Counter[tuple[str, str]] = Counter()
    offset = events = duplicates = 0
    first, end = paris_day(task.day)
    for ts, values in read_steps(task.runs, task.number, first, end):
        if stop():
            return None
        delta = counter.count(list(_batches(rules.plan, ts, values, offset)))
        offset += len(values)
        assert minutes.keys().isdisjoint(delta.minutes), "a step holds whole minutes"
        minutes |= {minute: MinuteCounts(minute, counts) for minute, counts in delta.minutes.items()}
        book.add(delta)
        unseen.update(delta.unseen)
        events, duplicates = events + len(values), duplicates + delta.duplicates
    marks = (
        HourMark(hour, HourSource.BACKFILL, of_hour(task.spans, hour))
        for hour in range(first // MINUTES_AN_HOUR, end // MINUTES_AN_HOUR)
    )
    held = {minute // MINUTES_AN_HOUR for minute in minutes}
    hours = tuple(mark for mark in marks if mark.measured or mark.hour in held)
    part = DayFile(
        task.day,
        0,
        hours,
        rows_of(list(minutes.values()), 0),
        book.sketches(),
        rules.catalog.digest,
        task.inputs,
        lead_events,
    )
    return CountedPart(part, events, duplicates, unseen)


def _batches(plan: MemoryPlan, ts: Sequence[int], values: Sequence[bytes], offset: int) -> Iterator[Batch]:
    """Events in order of their time as batches, none of which reaches into two generations of the memory.

    Within one generation it makes no difference which append time an event has: that of the batch is that of its last event.
    """
    begin = 0
    while begin < len(ts):
        limit = min((ts[begin] // length + 1) * length for length in (plan.id_ms, plan.visit_ms))
        end = bisect_left(ts, limit, begin)
        some = values[begin:end]
        yield Batch(ts[end - 1], some, [None] * len(some), range(offset + begin, offset + end), offset + end)
        begin = end
