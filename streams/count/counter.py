"""Counting of one partition: batches in log order in, one `Delta` out. Pure: the same log gives the same deltas.

The counter's whole state is (next offset, append time, watermark), and Redis stores it beside the counts. Memory of ids and visitors
(duplicates, visits) will live here too, in generations of append time; see docs/architecture.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streams.catalog import UNKNOWN, Catalog
from streams.count.types import Batch, Cut, Delta, Field, PartitionState, Reject
from streams.events import TimeBounds, VisitEvent, judge_all

#: (epoch minute, (region, academy), service, project, profile): codes as they were sent, made known when the chunk is folded.
_Key = tuple[int, tuple[str, str], str | None, str | None, str | None]


class PartitionCounter:
    """Counts one partition from where `state` stands (None: from nothing).

    Not reusable after a failed apply: a counter whose `next_offset` differs from the stored one must be discarded, never fed again.
    """

    def __init__(self, catalog: Catalog, bounds: TimeBounds, lateness_ms: int, state: PartitionState | None) -> None:
        self._uai_index = catalog.uai_index
        self._services = frozenset(catalog.service_codes)
        self._projects = frozenset(catalog.project_codes)
        self._profiles = frozenset(catalog.profile_codes)
        self._bounds = bounds
        self._lateness_ms = lateness_ms
        self.next_offset: int | None = state.next_offset if state else None
        self.append_ms: int = state.append_ms if state else 0
        self.watermark_ms: int = state.watermark_ms if state else 0

    def count(self, batches: Sequence[Batch]) -> Delta:
        """Count batches that continue the partition; `batches` is not empty and starts at `next_offset`.

        Records below `next_offset` must have been cut away (`streams.count.cut_before`).
        """
        first = batches[0].offsets[0] if batches[0].offsets else batches[0].end
        assert self.next_offset is None or first >= self.next_offset, "batches below the position were not cut away"
        counts: Counter[_Key] = Counter()
        late: Counter[tuple[int, str]] = Counter()
        rejects: list[Reject] = []
        records = 0
        for batch in batches:
            records += len(batch.values)
            # The running maximum: brokers may hand leadership to one whose clock is behind.
            self.append_ms = append_ms = max(self.append_ms, batch.append_ms)
            events, rejected = judge_all(batch.values, append_ms, self._bounds)
            rejects += (Reject(batch.offsets[i], why, append_ms, batch.keys[i], batch.values[i]) for i, why in rejected)
            self._count_events(events, append_ms, counts, late)
        end = batches[-1].end
        delta = Delta(self.next_offset, first, end, self.append_ms, self.watermark_ms, records, rejects=rejects)
        self._fold(delta, counts, late)
        self.next_offset = end
        return delta

    def _count_events(
        self, events: list[VisitEvent], append_ms: int, counts: Counter[_Key], late: Counter[tuple[int, str]]
    ) -> None:
        place_of = self._uai_index
        counts.update(
            [(event.ts // 60_000, place_of[event.uai], event.service, event.project, event.profile) for event in events]
        )
        # Watermark: running maximum of min(ts, append time) - lateness, event by event in log order. It is capped by the append time so
        # that one publisher whose clock is ahead cannot make everybody else late.
        watermark = self.watermark_ms
        lateness = self._lateness_ms
        horizon = watermark + lateness
        for event in events:
            ts = event.ts
            if ts > horizon:
                if ts > append_ms:
                    ts = append_ms
                if ts > horizon:
                    horizon = ts
                    watermark = ts - lateness
            elif ts < watermark:
                late[(ts // 60_000, place_of[event.uai][0])] += 1
        self.watermark_ms = watermark

    def _fold(self, delta: Delta, counts: Counter[_Key], late: Counter[tuple[int, str]]) -> None:
        services, projects, profiles = self._services, self._projects, self._profiles
        for (minute, (region, academy), service, project, profile), number in counts.items():
            by_field = delta.minutes.get(minute)
            if by_field is None:
                by_field = delta.minutes[minute] = {}
            fields: tuple[Field, ...] = (
                (Cut.EVENTS, region, service if service in services else UNKNOWN),
                (Cut.PROJECT, project if project in projects else UNKNOWN),
                (Cut.PROFILE, profile if profile in profiles else UNKNOWN, region),
                (Cut.ACADEMY, academy),
            )
            for key in fields:
                by_field[key] = by_field.get(key, 0) + number
        for (minute, region), number in late.items():
            delta.minutes[minute][(Cut.LATE, region)] = number
        totals = delta.totals
        for by_field in delta.minutes.values():
            for key, number in by_field.items():
                totals[key] = totals.get(key, 0) + number
        for reject in delta.rejects:
            delta.add_total((Cut.REJECTED, reject.reason.value), 1)


def cut_before(batches: Sequence[Batch], offset: int) -> list[Batch]:
    """Leave out what lies below `offset`: whole batches, and the head of the one that straddles it."""
    kept: list[Batch] = []
    for batch in batches:
        if batch.end <= offset:
            continue
        skip = (
            sum(1 for record_offset in batch.offsets if record_offset < offset)
            if batch.offsets and batch.offsets[0] < offset
            else 0
        )
        if skip:
            batch = Batch(batch.append_ms, batch.values[skip:], batch.keys[skip:], batch.offsets[skip:], batch.end)
        kept.append(batch)
    return kept
