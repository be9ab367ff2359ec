"""The book in which a simulation writes down what it sent; it becomes the truth file."""

import os
from collections import Counter
from pathlib import Path

import orjson

from streams.simulate.step import Cells, Step
from streams.simulate.truth import (
    CUTS,
    TRUTH_VERSION,
    MinuteTruth,
    Run,
    Truth,
    decode_minute,
    encode_minute,
)

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
            else:
                self._minute(special.minute)[special.repeat][special.cell] += 1
                self.duplicates += special.repeat
                self.events += not special.repeat
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
        counts = decode_minute(sealed) if sealed else {cut: {} for cut in CUTS}
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
