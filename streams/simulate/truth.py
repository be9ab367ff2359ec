"""The truth file: what must come out of the chain when the events of a simulation went in.

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

import datetime
from dataclasses import dataclass
from pathlib import Path

import msgspec
import orjson

from streams.clock import iso_utc
from streams.decoded_types import known
from streams.errors import InputError

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
        return {
            (minute, codes): number
            for minute, counts in self.minutes.items()
            for codes, (events, duplicates) in counts[cut].items()
            if (number := events + duplicates * with_duplicates)
        }


class _Minute(msgspec.Struct):
    minute: datetime.datetime
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
        raw = msgspec.json.decode(path.read_bytes(), type=known(_File))
    except FileNotFoundError:
        raise InputError(
            f"no truth file {path}: `vigie simulate` writes it beside the events, or name it with --truth"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a truth file: {error}; simulate again") from None
    if raw.version != TRUTH_VERSION:
        raise InputError(f"{path} has version {raw.version}, this Vigie reads {TRUTH_VERSION}: simulate again")
    facts = {name: getattr(raw, name) for name in _Facts.__struct_fields__}
    return Truth(minutes={int(item.minute.timestamp()) // 60: _minute(item) for item in raw.minutes}, **facts)


def encode_minute(minute: int, counts: MinuteTruth) -> bytes:
    """One element of `minutes` as JSON."""
    rows = {cut: [[*codes, *numbers] for codes, numbers in sorted(table.items())] for cut, table in counts.items()}
    return orjson.dumps({"minute": iso_utc(minute * 60_000), **rows})


def decode_minute(encoded: bytes) -> MinuteTruth:
    """The inverse of `encode_minute`."""
    return _minute(msgspec.json.decode(encoded, type=known(_Minute)))


def _minute(item: _Minute) -> MinuteTruth:
    return {
        cut: {tuple(codes): [events, duplicates] for *codes, events, duplicates in getattr(item, cut)} for cut in CUTS
    }
