"""Counting of one partition: batches in log order in, one `Delta` out. Pure: the same log gives the same deltas.

What a counter must know is (next offset, append time, watermark), which Redis stores beside the counts, and its `Memory` of ids and
visitors, which is read again from the tail of the log: `warm` feeds it, `count` continues.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from streams.catalog import UNKNOWN, Catalog
from streams.count.days import LocalDays
from streams.count.memory import Judged, Memory, MemoryPlan
from streams.count.types import Batch, Cut, Delta, Field, PartitionState, Reject, Sketch, SketchKey
from streams.events import TimeBounds, VisitEvent, judge_all

_Place = tuple[str, str]
_Code = str | None
#: (epoch minute, (region, academy), service, project, profile): codes as they were sent, made known when the chunk is folded.
_Key = tuple[int, _Place, _Code, _Code, _Code]
#: What an event with certain codes adds to: its fields, the sketch of its academy's users and that of its project's.
_Fields = tuple[tuple[Field, ...], SketchKey, SketchKey]
#: Combinations of codes remembered; beyond it all are forgotten. Senders may invent codes without end.
FIELDS_MAX = 50_000
#: Records decoded and counted in one go.
BLOCK_RECORDS = 500


@dataclass(frozen=True, slots=True)
class Rules:
    """What counting needs to know beside the log: one value, the same for every partition of an installation."""

    catalog: Catalog
    bounds: TimeBounds
    lateness_ms: int
    plan: MemoryPlan
    days: LocalDays

    @classmethod
    def of(cls, catalog: Catalog, bounds: TimeBounds, lateness_ms: int, shift_seconds: int = 0) -> Rules:
        """The rules for these settings."""
        plan = MemoryPlan.covering(bounds.ahead_ms_max, lateness_ms)
        return cls(catalog, bounds, lateness_ms, plan, LocalDays(catalog, shift_seconds))


@dataclass(slots=True)
class _Tally:
    """One chunk, before its codes are made known and its sums are drawn."""

    #: The visitors of the events of a key, one an event: their number is the count, they themselves are the users.
    visitors: defaultdict[_Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    visits: Counter[_Key] = field(default_factory=Counter)
    service_visits: Counter[tuple[int, _Place, _Code]] = field(default_factory=Counter)
    late: Counter[tuple[int, str]] = field(default_factory=Counter)
    schools: set[tuple[int, _Code, _Code]] = field(default_factory=set)
    duplicates: int = 0


class PartitionCounter:
    """Counts one partition from where `state` stands (None: from nothing).

    Not reusable after a failed apply: a counter whose `next_offset` differs from the stored one must be discarded, never fed again.
    """

    def __init__(self, rules: Rules, state: PartitionState | None) -> None:
        self._rules = rules
        catalog = rules.catalog
        self._uai_index = catalog.uai_index
        self._services = frozenset(catalog.service_codes)
        self._projects = frozenset(catalog.project_codes)
        self._profiles = frozenset(catalog.profile_codes)
        #: Fields and sketches of the codes met so far: they come again in every chunk.
        self._fields: dict[tuple[_Place, _Code, _Code, _Code], _Fields] = {}
        self.memory = Memory(rules.plan, catalog.service_codes)
        self._warm_append_ms = 0
        self.next_offset: int | None = state.next_offset if state else None
        self.append_ms: int = state.append_ms if state else 0
        self.watermark_ms: int = state.watermark_ms if state else 0

    def warm(self, batches: Sequence[Batch]) -> None:
        """Read the tail of the log again into the memory: batches below `next_offset`, in order. Counts nothing."""
        for batch in _blocks(batches):
            self._warm_append_ms = append_ms = max(self._warm_append_ms, batch.append_ms)
            events, _rejected = judge_all(batch.values, append_ms, self._rules.bounds)
            self.memory.judge(events, append_ms)

    def count(self, batches: Sequence[Batch]) -> Delta:
        """Count batches that continue the partition; `batches` is not empty and starts at `next_offset`.

        Records below `next_offset` must have been cut away (`streams.count.cut_before`).
        """
        first = batches[0].offsets[0] if batches[0].offsets else batches[0].end
        assert self.next_offset is None or first >= self.next_offset, "batches below the position were not cut away"
        tally = _Tally()
        rejects: list[Reject] = []
        records = 0
        for batch in _blocks(batches):
            records += len(batch.values)
            # The running maximum: brokers may hand leadership to one whose clock is behind.
            self.append_ms = append_ms = max(self.append_ms, batch.append_ms)
            events, rejected = judge_all(batch.values, append_ms, self._rules.bounds)
            rejects += (Reject(batch.offsets[i], why, append_ms, batch.keys[i], batch.values[i]) for i, why in rejected)
            judged = self.memory.judge(events, append_ms)
            tally.duplicates += len(events) - len(judged.fresh)
            self._tally_batch(judged, append_ms, tally)
        end = batches[-1].end
        delta = Delta(self.next_offset, first, end, self.append_ms, self.watermark_ms, records, rejects=rejects)
        self._fold(delta, tally)
        self.next_offset = end
        return delta

    def _tally_batch(self, judged: Judged, append_ms: int, tally: _Tally) -> None:
        place_of = self._uai_index
        events = judged.fresh
        # Columns and zip: most of the work stays in C.
        minutes = [event.ts // 60_000 for event in events]
        places = [place_of[event.uai] for event in events]
        projects = [event.project for event in events]
        keys = zip(minutes, places, [e.service for e in events], projects, [e.profile for e in events], strict=True)
        visitors_of = tally.visitors
        for key, event in zip(keys, events, strict=True):
            visitors_of[key].append(event.visitor)
        tally.schools.update(zip(minutes, [event.uai for event in events], projects, strict=True))
        tally.visits.update([_key(event, place_of[event.uai]) for event in judged.visits])
        tally.service_visits.update([(e.ts // 60_000, place_of[e.uai], e.service) for e in judged.service_visits])
        self._follow_watermark(events, append_ms, tally.late)

    def _follow_watermark(self, events: list[VisitEvent], append_ms: int, late: Counter[tuple[int, str]]) -> None:
        # Watermark: running maximum of min(ts, append time) - lateness, event by event in log order. It is capped by the append time so
        # that one publisher whose clock is ahead cannot make everybody else late.
        if not events:
            return
        lateness = self._rules.lateness_ms
        times = [event.ts for event in events]
        after = max(self.watermark_ms, min(max(times), append_ms) - lateness)
        if min(times) < after:
            watermark = self.watermark_ms
            for event in events:
                ts = event.ts
                if ts < watermark:
                    late[(ts // 60_000, self._uai_index[event.uai][0])] += 1
                else:
                    watermark = max(watermark, min(ts, append_ms) - lateness)
        self.watermark_ms = after

    def _fold(self, delta: Delta, tally: _Tally) -> None:
        self._fold_events(delta, tally.visitors)
        services, projects, profiles = self._services, self._projects, self._profiles
        for (minute, (region, academy), _service, project, profile), number in tally.visits.items():
            by_field = delta.minutes[minute]
            _add(by_field, (Cut.VISITS, region), number)
            _add(by_field, (Cut.VISIT_PROJECT, _known(project, projects)), number)
            _add(by_field, (Cut.VISIT_PROFILE, _known(profile, profiles), region), number)
            _add(by_field, (Cut.VISIT_ACADEMY, academy), number)
        for (minute, (region, _academy), service), number in tally.service_visits.items():
            _add(delta.minutes[minute], (Cut.SERVICE_VISITS, region, _known(service, services)), number)
        for (minute, region), number in tally.late.items():
            delta.minutes[minute][(Cut.LATE, region)] = number
        totals = delta.totals
        for by_field in delta.minutes.values():
            for key, number in by_field.items():
                totals[key] = totals.get(key, 0) + number
        for reject in delta.rejects:
            delta.add_total((Cut.REJECTED, reject.reason.value), 1)
        if tally.duplicates:
            delta.add_total((Cut.DUPLICATE,), tally.duplicates)
        self._fold_sketches(delta, tally)

    def _fold_events(self, delta: Delta, visitors_of: dict[_Key, list[str]]) -> None:
        known_fields = self._fields
        if len(known_fields) > FIELDS_MAX:
            known_fields.clear()
        for key, visitors in visitors_of.items():
            minute = key[0]
            by_field = delta.minutes.get(minute)
            if by_field is None:
                by_field = delta.minutes[minute] = {}
                delta.minute_sketches[minute] = {}
            codes = key[1:]
            known = known_fields.get(codes)
            if known is None:
                known = known_fields[codes] = self._fields_of(*codes)
            fields, academy_users, project_users = known
            number = len(visitors)
            for field_key in fields:
                by_field[field_key] = by_field.get(field_key, 0) + number
            sketches = delta.minute_sketches[minute]
            _join(sketches, academy_users, visitors)
            _join(sketches, project_users, visitors)

    def _fields_of(self, place: _Place, service: _Code, project: _Code, profile: _Code) -> _Fields:
        region, academy = place
        known_project = _known(project, self._projects)
        fields = (
            (Cut.EVENTS, region, _known(service, self._services)),
            (Cut.PROJECT, known_project),
            (Cut.PROFILE, _known(profile, self._profiles), region),
            (Cut.ACADEMY, academy),
        )
        return fields, (Sketch.ACADEMY_USERS, region, academy), (Sketch.PROJECT_USERS, known_project)

    def _fold_sketches(self, delta: Delta, tally: _Tally) -> None:
        days = self._rules.days
        for minute, sketches in delta.minute_sketches.items():
            for (kind, *codes), visitors in sketches.items():
                if kind == Sketch.ACADEMY_USERS:
                    region = codes[0]
                    _join(
                        delta.day_sketches.setdefault(days.local(minute, region), {}),
                        (Sketch.LOCAL_DAY, region),
                        visitors,
                    )
                    if region in days.overseas:
                        _join(
                            delta.day_sketches.setdefault(days.paris(minute), {}), (Sketch.PARIS_DAY, region), visitors
                        )
        for minute, uai, project in tally.schools:
            region = self._uai_index[uai][0]
            if region != UNKNOWN and uai is not None:
                sketches = delta.minute_sketches[minute]
                _join(sketches, (Sketch.REGION_SCHOOLS, region), (uai,))
                _join(sketches, (Sketch.PROJECT_SCHOOLS, _known(project, self._projects)), (uai,))


def _blocks(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The batches, large ones in pieces: what is decoded of one stays in the processor's cache until it is counted."""
    for batch in batches:
        if len(batch.values) <= BLOCK_RECORDS:
            yield batch
            continue
        for first in range(0, len(batch.values), BLOCK_RECORDS):
            part = slice(first, first + BLOCK_RECORDS)
            yield Batch(batch.append_ms, batch.values[part], batch.keys[part], batch.offsets[part], batch.end)


def _key(event: VisitEvent, place: _Place) -> _Key:
    return (event.ts // 60_000, place, event.service, event.project, event.profile)


def _known(code: _Code, codes: frozenset[str]) -> str:
    return code if code in codes else UNKNOWN


def _add(by_field: dict[Field, int], key: Field, number: int) -> None:
    by_field[key] = by_field.get(key, 0) + number


def _join(sketches: dict[SketchKey, set[str]], key: SketchKey, members: Iterable[str]) -> None:
    found = sketches.get(key)
    if found is None:
        found = sketches[key] = set()
    found.update(members)


def cut_after(batches: Sequence[Batch], offset: int) -> list[Batch]:
    """Leave out what lies at `offset` or above."""
    kept: list[Batch] = []
    for batch in batches:
        if batch.end <= offset:
            kept.append(batch)
            continue
        size = sum(1 for record_offset in batch.offsets if record_offset < offset)
        if size:
            kept.append(Batch(batch.append_ms, batch.values[:size], batch.keys[:size], batch.offsets[:size], offset))
    return kept


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
