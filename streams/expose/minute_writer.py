"""The time-stamped minutes of a scrape, as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from streams import metrics
from streams.count import Cut
from streams.expose.codes import Lists
from streams.expose.samples import family_head
from streams.live import MinuteCounts


class MinuteWriter:
    """Writes the time-stamped minutes, every region and service of each, zeros included. A minute that is the same object as at the scrape
    before is not written again.

    Threads may share it: at worst a minute is written twice.
    """

    def __init__(self, lists: Lists) -> None:
        self._codes = lists.codes
        self._families = (
            (metrics.MINUTE_EVENTS, Cut.EVENTS, lists.pairs),
            (metrics.MINUTE_VISITS, Cut.VISITS, lists.regions),
            (metrics.MINUTE_SERVICE_VISITS, Cut.SERVICE_VISITS, lists.pairs),
        )
        #: (epoch minute, as OpenMetrics) -> that minute, and its lines of each family.
        self._written: dict[tuple[int, bool], tuple[MinuteCounts, list[list[str]]]] = {}

    def text(self, minutes: Sequence[MinuteCounts], *, openmetrics: bool) -> str:
        """The families of these minutes, which are oldest first: as `ManySeries.text`."""
        if not minutes:
            return ""
        before, self._written = self._written, {}
        by_minute = []
        for minute in minutes:
            key = minute.minute, openmetrics
            found = before.get(key)
            if found is None or found[0] is not minute:
                found = minute, self._lines(minute, f" {minute.minute * (60 if openmetrics else 60_000)}\n")
            self._written[key] = found
            by_minute.append(found[1])
        written = []
        for (metric, _, _), *lines in zip(self._families, *by_minute, strict=True):
            written += [family_head(metric, openmetrics=openmetrics), *chain.from_iterable(zip(*lines, strict=True))]
        return "".join(written)

    def _lines(self, minute: MinuteCounts, stamp: str) -> list[list[str]]:
        counts = self._codes.on_lists(minute.counts)
        return [
            [f"{metric.name}{labels} {counts.get((cut, *codes), 0)}{stamp}" for codes, labels in listed.items()]
            for metric, cut, listed in self._families
        ]


@dataclass(frozen=True, slots=True)
class StampedMinutes:
    """Minutes of one scrape, at their own time."""

    writer: MinuteWriter
    minutes: Sequence[MinuteCounts]

    def text(self, *, openmetrics: bool) -> str:
        """As `ManySeries.text`."""
        return self.writer.text(self.minutes, openmetrics=openmetrics)
