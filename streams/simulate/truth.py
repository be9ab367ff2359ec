"""The truth file: what must come out of the chain when the events of a simulation went in; and the book that it is written from.

It is counted from what the generator chose (the region of the establishment it picked), never by decoding the events. One JSON object:

    {"version": 1, "scenario": "rentree", "seed": 1, "scale": 0.2, "shift_seconds": -7344000,
     "reached_s": 1795622400,
     "runs": [{"run": "r-...", "complete": true, "unacknowledged": 0, "resent": 0}],
     "published": 12, "events": 10, "duplicates": 1, "rejected": {"missing_member": 1}, "minutes_dropped": 0,
     "minutes": [{"minute": "2026-11-23T15:02:00Z",
                  "region_service": [["44", "CAHIER_TEXTES", 10, 1]], "project": [["mbn", 10, 1]],
                  "profile_region": [["ELEVE", "44", 10, 1]], "academy": [["12", 10, 1]]}]}

Each row ends in `events` (distinct ids) and `duplicates` (repeats of an id, kept apart): a chain that removes duplicates shows the first,
one that does not shows their sum. `published` = `events` + `duplicates` + all of `rejected`. Minutes are those of `ts` (the clock, UTC);
`reached_s` is the last second of the clock whose events were sent. A simulator that is started again with the same file adds a run.
"""

from __future__ import annotations

import datetime
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import orjson

from streams.clock import iso_utc
from streams.errors import InputError
from streams.simulate.step import Cells, Step

TRUTH_VERSION = 1
#: The four ways the counts are cut, by the names they have in the file, and the codes of a row.
CUTS = {
    "region_service": ("region", "service"),
    "project": ("project",),
    "profile_region": ("profile", "region"),
    "academy": ("academy",),
}

#: What one minute must show: cut -> codes -> [events, duplicates].
MinuteTruth = dict[str, dict[tuple[str, ...], list[int]]]


@dataclass(frozen=True, slots=True)
class Run:
    """One process that sent events; `complete` once it has ended in order, `unacknowledged` events that Kafka did not confirm.

    `resent` were sent again to a collector that had not answered for them: so many repeats at most stand in the log that nobody made.
    """

    run: str
    complete: bool
    unacknowledged: int = 0
    resent: int = 0


class _Facts(msgspec.Struct):
    scenario: str
    seed: int
    scale: float
    shift_seconds: int
    reached_s: int
    runs: list[Run]
    published: int
    events: int
    duplicates: int
    rejected: dict[str, int]
    minutes_dropped: int


class Truth(_Facts):
    """A loaded truth file. `minutes` maps the epoch minute (`ts // 60000`) to its counts."""

    minutes: dict[int, MinuteTruth]

    @property
    def complete(self) -> bool:
        """Whether the figures are final and every event was confirmed; False after a kill -9 and while the simulator runs."""
        return all(run.complete and not run.unacknowledged for run in self.runs)

    @property
    def resent(self) -> int:
        """Events sent again, all runs."""
        return sum(run.resent for run in self.runs)

    @property
    def rejected_total(self) -> int:
        """Events that must be rejected, all reasons."""
        return sum(self.rejected.values())

    def expected(self, cut: str, *, with_duplicates: bool) -> dict[tuple[int, tuple[str, ...]], int]:
        """Return `{(epoch minute, codes): count}` of one cut of `CUTS`, without rows of zero."""
        found: dict[tuple[int, tuple[str, ...]], int] = {}
        for minute, counts in self.minutes.items():
            for codes, (events, duplicates) in counts[cut].items():
                number = events + duplicates * with_duplicates
                if number:
                    found[(minute, codes)] = number
        return found


class _Minute(msgspec.Struct):
    minute: str
    region_service: list[tuple[str, str, int, int]]
    project: list[tuple[str, int, int]]
    profile_region: list[tuple[str, str, int, int]]
    academy: list[tuple[str, int, int]]


class _File(_Facts):
    version: int
    minutes: list[_Minute]


def load_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises:
        InputError: it does not exist, is damaged, or is of another version.
    """
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        raise InputError(
            f"no truth file {path}: `vigie simulate` writes it beside the events, or name it with --truth"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a truth file: {error}; simulate again") from None
    if raw.version != TRUTH_VERSION:
        raise InputError(f"{path} has version {raw.version}, this Vigie reads {TRUTH_VERSION}: simulate again")
    facts = {name: getattr(raw, name) for name in _Facts.__struct_fields__}
    return Truth(
        minutes={
            int(datetime.datetime.fromisoformat(item.minute).timestamp()) // 60: _minute(item) for item in raw.minutes
        },
        **facts,
    )


def empty_minute() -> MinuteTruth:
    """A minute in which nothing was sent."""
    return {cut: {} for cut in CUTS}


def encode_minute(minute: int, counts: MinuteTruth) -> bytes:
    """One element of `minutes` as JSON."""
    document: dict[str, object] = {"minute": iso_utc(minute * 60_000)}
    for cut, table in counts.items():
        document[cut] = [[*codes, *numbers] for codes, numbers in sorted(table.items())]
    return orjson.dumps(document)


def decode_minute(encoded: bytes) -> MinuteTruth:
    """The inverse of `encode_minute`."""
    return _minute(msgspec.json.decode(encoded, type=_Minute))


def _minute(item: _Minute) -> MinuteTruth:
    counts = empty_minute()
    for cut, table in counts.items():
        for *codes, events, duplicates in getattr(item, cut):
            table[tuple(codes)] = [events, duplicates]
    return counts


#: A minute is sealed (kept as JSON only) this long after its end; delayed events and repeats arrive well before.
SEAL_AFTER_MINUTES = 2
#: Bound of the minutes kept, 72 hours: as many as Redis holds. Older ones are dropped and counted, totals stay.
MINUTES_MAX = 72 * 60


class TruthBook:
    """Counts steps. Memory is bounded: open minutes by cell, sealed ones as about 20 KB of JSON each, `MINUTES_MAX` of them."""

    def __init__(self, cells: Cells, *, scenario: str, seed: int, scale: float, shift_seconds: int, run: str) -> None:
        self._cells = cells
        self._header = {"scenario": scenario, "seed": seed, "scale": scale, "shift_seconds": shift_seconds}
        self._run = run
        self._earlier_runs: list[Run] = []
        self._open: dict[int, tuple[Counter[int], Counter[int]]] = {}
        self._sealed: dict[int, bytes] = {}
        self._dropped = 0
        self.events = 0
        self.duplicates = 0
        self.rejected: Counter[str] = Counter()
        self.reached_s = 0

    @property
    def published(self) -> int:
        """Records sent: events, repeats and broken ones."""
        return self.events + self.duplicates + self.rejected.total()

    def go_on_from(self, earlier: Truth) -> None:
        """Add the figures of the runs before this one; called before the first step."""
        assert not self.published, "go_on_from comes before the first step"
        self._earlier_runs = list(earlier.runs)
        self._sealed = {minute: encode_minute(minute, counts) for minute, counts in sorted(earlier.minutes.items())}
        self._dropped = earlier.minutes_dropped
        self.events, self.duplicates = earlier.events, earlier.duplicates
        self.rejected.update(earlier.rejected)
        self.reached_s = earlier.reached_s

    def add(self, step: Step) -> None:
        """Write down a step that was sent whole (cut it first if it was not)."""
        if step.cells:
            self._minute(step.minute)[0].update(step.cells)
            self.events += len(step.cells)
        for special in step.specials:
            if special.reason is not None:
                self.rejected[special.reason.value] += 1
                continue
            self._minute(special.minute)[special.repeat][special.cell] += 1
            if special.repeat:
                self.duplicates += 1
            else:
                self.events += 1
        self.reached_s = max(self.reached_s, step.second)
        if step.minute - SEAL_AFTER_MINUTES in self._open or len(self._open) > SEAL_AFTER_MINUTES + 1:
            self._seal(step.minute - SEAL_AFTER_MINUTES)

    def encode(self, *, complete: bool, unacknowledged: int = 0, resent: int = 0) -> bytes:
        """The truth file as it stands."""
        live = self._sealed | {minute: encode_minute(minute, self._truth_of(minute)) for minute in self._open}
        runs = [*self._earlier_runs, Run(self._run, complete, unacknowledged, resent)]
        return orjson.dumps(
            {
                "version": TRUTH_VERSION,
                **self._header,
                "reached_s": self.reached_s,
                "runs": runs,
                "published": self.published,
                "events": self.events,
                "duplicates": self.duplicates,
                "rejected": dict(sorted(self.rejected.items())),
                "minutes_dropped": self._dropped,
                "minutes": [orjson.Fragment(live[minute]) for minute in sorted(live)],
            }
        )

    def save(self, path: Path, *, complete: bool, unacknowledged: int = 0, resent: int = 0) -> int:
        """Write the truth file atomically: a reader sees the old one or the new one whole. Returns its bytes."""
        content = self.encode(complete=complete, unacknowledged=unacknowledged, resent=resent)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(content)
        beside.replace(path)
        return len(content)

    def _minute(self, minute: int) -> tuple[Counter[int], Counter[int]]:
        return self._open.setdefault(minute, (Counter(), Counter()))

    def _truth_of(self, minute: int) -> MinuteTruth:
        sealed = self._sealed.get(minute)
        counts = decode_minute(sealed) if sealed else empty_minute()
        for index, cells in enumerate(self._open[minute]):
            for cell, number in cells.items():
                place, profile, service = self._cells.names(cell)
                for cut, codes in (
                    ("region_service", (place.region, service)),
                    ("project", (place.project,)),
                    ("profile_region", (profile, place.region)),
                    ("academy", (place.academy,)),
                ):
                    counts[cut].setdefault(codes, [0, 0])[index] += number
        return counts

    def _seal(self, last: int) -> None:
        for minute in [minute for minute in self._open if minute <= last]:
            self._sealed[minute] = encode_minute(minute, self._truth_of(minute))
            del self._open[minute]
        for minute in sorted(self._sealed)[: max(0, len(self._sealed) - MINUTES_MAX)]:
            del self._sealed[minute]
            self._dropped += 1
