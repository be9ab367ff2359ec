"""`vigie upgrade`: the counts of a new prefix beside those of the old one. Is every minute equal, once they have caught up? What is carried
over of the time before the log? Nothing of the old prefix is changed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from streams.audit.log import LogReader, Unread
from streams.audit.plain import PlainCount
from streams.audit.recount import ASPECTS, VISIT_ASPECTS, RecountRules, feed
from streams.clock import MINUTE_MS
from streams.count import Field
from streams.count.settle import UNOWNED_MS
from streams.errors import ServerError, StateError
from streams.live import LiveReader, Snapshot
from streams.live.keys import READABLE_LAYOUTS
from streams.topics import GroupMember

#: Without any progress of the new workers for this long, they are not there, or cannot count.
STILL_SECONDS_MAX = 120.0
LOOK_SECONDS = 1.0
#: Whoever reaches within this where the running workers stood is as fast as they are; what came meanwhile is counted again by plain code.
GOAL_SECONDS_MAX = 10.0

_FIELDS = {name: short for short, name in (ASPECTS | VISIT_ASPECTS).items()}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the log can be counted again: from `first_minute` on (None: all). `oldest_minute` is held. Epoch minutes."""

    first_minute: int | None
    oldest_minute: int | None

    @property
    def is_short(self) -> bool:
        """Whether minutes that are held cannot be counted again."""
        return self.first_minute is not None and (self.oldest_minute or self.first_minute) < self.first_minute


def reach_of(log: LogReader, rules: RecountRules, old: LiveReader) -> Reach:
    """How far back the log reaches, of what the old prefix holds.

    A minute can be counted again where nothing that belongs to it, or that repeats and visits in it need to know, was removed.
    """
    begun = {number: start for number, start in log.starts.items() if start > 0}
    first_ms: dict[int, int] = {}
    for partition, records in log.read({n: min(start + 1, log.ends[n]) for n, start in begun.items()}):
        if isinstance(records, Unread) or records:
            appended = records.append_ms if isinstance(records, Unread) else records[0].timestamp
            first_ms.setdefault(partition, appended)
    needed_ms = rules.bounds.ahead_ms_max + rules.memory_ms
    now_ms = time.time_ns() // 1_000_000
    bounds_ms = [first_ms.get(number, now_ms) + needed_ms for number in begun]
    held = old.held()
    return Reach(-(-max(bounds_ms) // MINUTE_MS) if bounds_ms else None, held[0] if held else None)


def readable(prefix: str, snapshot: Snapshot) -> Snapshot:
    """What the old prefix holds, once it is known that it can be read.

    Raises:
        StateError: it holds nothing, or what this version cannot read, or was left half-written.
    """
    if snapshot.layout is None:
        raise StateError(f"redis_prefix {prefix} holds no counts: --from names the prefix that is running")
    if snapshot.layout not in READABLE_LAYOUTS:
        raise StateError(
            f"redis_prefix {prefix} holds key layout {snapshot.layout}, this version reads {' and '.join(sorted(READABLE_LAYOUTS))}: "
            "start over (docs/operations/recover.md)"
        )
    if snapshot.mark is not None:
        raise StateError(
            f"redis_prefix {prefix} holds a call that was written only in part ({snapshot.mark}): start over"
        )
    return snapshot


def of_running_workers(group: str, members: Iterable[GroupMember], old: Snapshot) -> str | None:
    """The running worker that is in this consumer group, if any is: new workers there would take its partitions away."""
    for beat in old.heartbeats.values():
        named = f"{group}-{beat.worker}-".replace(
            ":", "-"
        )  # as workers name themselves, and Kafka its static members after that
        if old.now_ms - beat.at_ms <= UNOWNED_MS and any(member.member_id.startswith(named) for member in members):
            return beat.worker
    return None


def is_caught_up(old: Snapshot, new: Snapshot) -> bool:
    """Whether the new prefix, read after the old one, holds everything that this one did, and has settled as far."""
    return (
        bool(new.partitions)
        and all(
            n in new.offsets and new.offsets[n].next_offset >= state.next_offset for n, state in old.offsets.items()
        )
        and (new.settled_ms or 0) // MINUTE_MS >= (old.settled_ms or 0) // MINUTE_MS
    )


def wait_caught_up(
    read_old: Callable[[], Snapshot],
    read_new: Callable[[], Snapshot],
    settle: Callable[[], None],
    show: Callable[[Snapshot, Snapshot], None],
) -> tuple[Snapshot, Snapshot]:
    """Wait until the new prefix has caught up; return the old one, and the new one as it was after that. `settle` is an observer's round.

    Raises:
        ServerError: the new workers make no progress, or a server does not answer.
        StateError: the two count different topics, or the old one cannot be read.
    """
    moved_at, place = time.monotonic(), (-1, -1)
    old, asked_at = read_old(), time.monotonic()
    while True:
        settle()
        new = read_new()
        if new.topic_id is not None and old.topic_id not in (None, new.topic_id):
            raise StateError(
                "the two prefixes count different topics: set the topic that is running, and another redis_prefix"
            )
        if is_caught_up(old, new):
            if time.monotonic() - asked_at <= GOAL_SECONDS_MAX:
                return old, new
            old, asked_at = read_old(), time.monotonic()  # the running workers went on meanwhile
            continue
        show(old, new)
        stands = (sum(state.next_offset for state in new.offsets.values()), new.settled_ms or 0)
        if stands != place:
            moved_at, place = time.monotonic(), stands
        if time.monotonic() - moved_at > STILL_SECONDS_MAX:
            raise ServerError(
                f"the new prefix makes no progress for {STILL_SECONDS_MAX:.0f} s: start workers of this version with these settings (a "
                "redis_prefix and a consumer_group of their own, not the running ones'), or see their logs; then run the same again"
            )
        time.sleep(LOOK_SECONDS)


def counted_between(log: LogReader, rules: RecountRules, old: Snapshot, new: Snapshot) -> dict[Field, int]:
    """Count, with plain code, the records from where the old prefix stands to where the new one does, which is further on.

    Reading begins as far before as repeats and visits need to know.
    """
    begins = {n: old.offsets[n].next_offset if n in old.offsets else new.first_offsets[n] for n in new.offsets}
    ends = {n: state.next_offset for n, state in new.offsets.items()}
    since = log.offsets_since(min((state.append_ms for state in old.offsets.values()), default=0) - rules.memory_ms)
    plain = PlainCount(rules.catalog, rules.bounds, rules.lateness_ms, visits=True)
    for partition, records in log.read(begins, since):
        feed(plain, partition, records)
    before = plain.totals()
    for partition, records in log.read(ends, begins):
        feed(plain, partition, records)
    return {
        (_FIELDS[row[0]], *row[1:]): number - before.get(row, 0)
        for row, number in plain.totals().items()
        if number != before.get(row, 0)
    }


def carried(
    old: Mapping[Field, int], between: Mapping[Field, int], new: Mapping[Field, int]
) -> tuple[dict[Field, int], dict[Field, int]]:
    """What the old prefix counted of records that the log no longer has: its totals, with what came since, without what is counted anew.

    Beside what is carried over: by how much the new prefix counts more than the old one, which is never carried, only told.
    """
    apart = {
        key: old.get(key, 0) + between.get(key, 0) - new.get(key, 0) for key in old.keys() | between.keys() | new.keys()
    }
    return (
        {key: number for key, number in apart.items() if number > 0},
        {key: -number for key, number in apart.items() if number < 0},
    )


def still_in_use(snapshot: Snapshot) -> str | None:
    """Who counts or shows a prefix that is to be removed; None: nobody does."""
    owners = sorted(
        {beat.worker for beat in snapshot.heartbeats.values() if snapshot.now_ms - beat.at_ms <= UNOWNED_MS}
    )
    if owners:
        return f"workers still count it ({', '.join(owners)})"
    observers = sorted(name for name, said in snapshot.observers.items() if snapshot.now_ms - said.at_ms <= UNOWNED_MS)
    return f"observers still show it ({', '.join(observers)})" if observers else None


#: What differs is looked at so often, with longer and longer pauses: so many times this.
LOOKS_MAX = 5
MINUTES_A_CALL = 240


@dataclass(frozen=True, slots=True)
class Unlike:
    """A row of a minute (epoch minute) that the two prefixes count differently."""

    minute: int
    field: Field
    old: int
    new: int


def unlike_minutes(old: LiveReader, new: LiveReader, first: int | None, end: int) -> tuple[int, list[Unlike]]:
    """Compare the minutes that both hold, `first <= epoch minute < end`; return how many, and every row that differs.

    Late events change a settled minute in one prefix a moment before the other. So a row of the new one must be what the old one holds, or
    between what it held before and what it holds after.
    """
    both = doubtful = sorted(set(old.held(first, end)) & set(new.held(first, end)))
    found: list[Unlike] = []
    for attempt in range(LOOKS_MAX):
        found = [
            row
            for at in range(0, len(doubtful), MINUTES_A_CALL)
            for row in _unlike(old, new, doubtful[at : at + MINUTES_A_CALL], LOOK_SECONDS * attempt)
        ]
        doubtful = sorted({row.minute for row in found})
        if not doubtful:
            break
    return len(both), found


def _unlike(old: LiveReader, new: LiveReader, minutes: Sequence[int], pause_seconds: float) -> Iterator[Unlike]:
    before = old.fetch(minutes)
    time.sleep(pause_seconds)
    ours = new.fetch(minutes)
    time.sleep(pause_seconds)
    for low, one, high in zip(before, ours, old.fetch(minutes), strict=True):
        for key in sorted(high.counts.keys() | one.counts.keys()):
            least, most, number = (counts.get(key, 0) for counts in (low.counts, high.counts, one.counts))
            if not least <= number <= most:
                yield Unlike(one.minute, key, most, number)
