"""What goes into counting and what comes out: `Batch` in, `Delta` out. Plain values; no Faust, no Redis, no clock."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

import msgspec

from streams.events import Reason


class Cut(StrEnum):
    """A way of cutting the counts; the first part of a `Field`. The values are stored in Redis: changing one changes the key layout."""

    EVENTS = "e"  # (EVENTS, region, service)
    PROJECT = "p"  # (PROJECT, project)
    PROFILE = "f"  # (PROFILE, profile, region)
    ACADEMY = "a"  # (ACADEMY, academy)
    LATE = "l"  # (LATE, region): of the events above, those below their partition's watermark
    REJECTED = "r"  # (REJECTED, reason): totals only, a rejected event has no minute
    NOT_KEPT = "k"  # (NOT_KEPT, reason): of the rejected ones, those that are not in the dead-letter topic
    LOST = "x"  # (LOST,): offsets that retention removed before they were counted
    DUPLICATE = "d"  # (DUPLICATE,): repeats of an id, not counted; totals only
    VISITS = "v"  # (VISITS, region): visits by the ministry's rule, at the event that starts them
    VISIT_PROJECT = "vp"  # (VISIT_PROJECT, project)
    VISIT_PROFILE = "vf"  # (VISIT_PROFILE, profile, region)
    VISIT_ACADEMY = "va"  # (VISIT_ACADEMY, academy)
    SERVICE_VISITS = "vs"  # (SERVICE_VISITS, region, service): visits of that service; their sum is no number of visits


class Sketch(StrEnum):
    """A HyperLogLog of one minute or one day; the first part of a `SketchKey`. Stored in Redis like `Cut`."""

    ACADEMY_USERS = "ua"  # (ACADEMY_USERS, region, academy): visitors of a minute; regions and France are unions of it
    PROJECT_USERS = "up"  # (PROJECT_USERS, project): visitors of a minute
    REGION_SCHOOLS = "sr"  # (REGION_SCHOOLS, region): establishments (UAI) of a minute
    PROJECT_SCHOOLS = "sp"  # (PROJECT_SCHOOLS, project): establishments (UAI) of a minute
    LOCAL_DAY = "dl"  # (LOCAL_DAY, region): visitors of a day in the region's time zone
    PARIS_DAY = "dp"  # (PARIS_DAY, region): visitors of a day in Paris, for France's; where the region's own is another


#: A cut and its codes, for instance `(Cut.EVENTS, "44", "CAHIER_TEXTES")`. All codes are of closed lists.
Field = tuple[str, ...]
#: A sketch and its codes, for instance `(Sketch.ACADEMY_USERS, "44", "12")`.
SketchKey = tuple[str, ...]


class Batch(msgspec.Struct, frozen=True):
    """One record batch of one partition, as the broker stores it. A struct is made in a fraction of the time of a frozen dataclass, which a
    log of small batches feels.

    `values[i]` lies at `offsets[i]` (a `range` where offsets are dense) with the key `keys[i]`. `end` is the offset after the batch: it can
    exceed the last record's offset + 1 where compaction removed records. `append_ms` is the broker's append time, one for the batch.

    A batch that nobody can read has no values: the `unread` records before `end` are rejected for `reason`.
    """

    append_ms: int
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    offsets: Sequence[int]
    end: int
    unread: int = 0
    reason: Reason | None = None

    @property
    def first(self) -> int:
        """The offset of its first record; `end` where it has none."""
        return self.offsets[0] if self.offsets else self.end - self.unread


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What Redis stores of one partition: `next_offset` is the next to count, the two times are running maxima in epoch ms."""

    next_offset: int
    append_ms: int
    watermark_ms: int


class Reject(msgspec.Struct, frozen=True, gc=False):
    """One rejected record, for the dead-letter topic; a struct as `Batch` is."""

    offset: int
    reason: Reason
    append_ms: int
    key: bytes | None
    value: bytes | None


class Rejects:
    """The rejected records of a chunk, in log order. Each `Reject` is made when somebody looks at it: of a flood, nobody does.

    `len` counts those that nobody can read, too; iteration leaves them out.
    """

    def __init__(self) -> None:
        #: (batch, indexes of its rejected records, their reasons, append time)
        self._pieces: list[tuple[Batch, Sequence[int], Sequence[Reason], int]] = []
        self._number = 0
        self._unread: dict[Reason, int] = {}

    def add(self, batch: Batch, indexes: Sequence[int], reasons: Sequence[Reason], append_ms: int) -> None:
        """Take those of one batch, or of a part of it."""
        self._pieces.append((batch, indexes, reasons, append_ms))
        self._number += len(indexes)

    def add_unread(self, reason: Reason, number: int) -> None:
        """Take records that nobody can read: counted, and nothing to look at."""
        self._unread[reason] = self._unread.get(reason, 0) + number
        self._number += number

    def by_reason(self) -> Counter[Reason]:
        """How many there are of each."""
        return Counter(chain.from_iterable(reasons for _, _, reasons, _ in self._pieces)) + Counter(self._unread)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Reject]:
        for batch, indexes, reasons, append_ms in self._pieces:
            for index, reason in zip(indexes, reasons, strict=True):
                yield Reject(batch.offsets[index], reason, append_ms, batch.keys[index], batch.values[index])


@dataclass(slots=True)
class Delta:
    """What one chunk of one partition adds: applied to Redis whole, in one call, or not at all.

    `start` is the stored offset the chunk continues (None: nothing is stored yet), `end` the one it leaves. `minutes` maps the epoch
    minute (`ts // 60000`) to counts by field; `without_minute` are the counts that have none. Totals follow from both: Redis adds them up.
    """

    start: int | None
    first: int
    end: int
    append_ms: int
    watermark_ms: int
    records: int
    minutes: dict[int, dict[Field, int]] = field(default_factory=dict)
    without_minute: dict[Field, int] = field(default_factory=dict)
    rejects: Rejects = field(default_factory=Rejects)
    #: Members of sketches, by epoch minute, and by local date (`2026-09-01`). A member may repeat: adding it twice changes nothing.
    minute_sketches: dict[int, dict[SketchKey, list[str]]] = field(default_factory=dict)
    day_sketches: dict[str, dict[SketchKey, list[str]]] = field(default_factory=dict)
    #: Values of events that are in no list: (`service`, `project`, `profile` or `uai`; as sent) -> events, repeats included. What is
    #: beyond a bound of distinct values is counted under "".
    unseen: dict[tuple[str, str], int] = field(default_factory=dict)
    duplicates: int = 0

    def add_total(self, key: Field, number: int) -> None:
        """Add to a count that has no minute; used before the delta is applied."""
        self.without_minute[key] = self.without_minute.get(key, 0) + number
