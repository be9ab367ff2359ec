"""The counting rules in plain sentences: one event at a time, searching lists. What `streams.count` must agree with."""

from collections import Counter
from dataclasses import dataclass, field

from streams.catalog import UNKNOWN, Catalog
from streams.count import Batch, Cut, Delta, Field, MemoryPlan
from streams.events import EventBounds, Reason, VisitEvent, validate

LATENESS_MS = 20_000
BOUNDS = EventBounds()
PLAN = MemoryPlan.covering(BOUNDS.ahead_ms_max, LATENESS_MS)


def sums(delta: Delta) -> Counter[Field]:
    """The counts of a delta over all its minutes, with those that have no minute."""
    found: Counter[Field] = Counter(delta.without_minute)
    for fields in delta.minutes.values():
        found.update(fields)
    return found


@dataclass
class Plain:
    """The same sentences as the design's, one event at a time, by searching lists."""

    watermark_ms: int = 0
    append_ms: int = 0
    ids: list[tuple[int, str, str]] = field(default_factory=list)
    seen: list[tuple[int, tuple[str, str], str, int]] = field(default_factory=list)

    def feed(self, catalog: Catalog, batches: list[Batch]) -> tuple[Counter[tuple[int, Field]], Counter[Field]]:
        minutes: Counter[tuple[int, Field]] = Counter()
        totals: Counter[Field] = Counter()
        for item in batches:
            self.append_ms = max(self.append_ms, item.append_ms)
            if item.unread and item.reason:
                totals[(Cut.REJECTED, item.reason.value)] += item.unread
            for raw in item.values:
                found = validate(raw, self.append_ms, BOUNDS)
                if isinstance(found, Reason):
                    totals[(Cut.REJECTED, found.value)] += 1
                    continue
                for key in self.fields(catalog, found):
                    totals[key] += 1
                    if key != (Cut.DUPLICATE,):
                        minutes[(found.ts // 60_000, key)] += 1
        return minutes, totals

    def is_repeat(self, event: VisitEvent) -> bool:
        generation = self.append_ms // PLAN.id_ms
        own = (event.project or "", event.id)
        repeat = any((project, name) == own and g >= generation - 1 for g, project, name in self.ids)
        self.ids.append((generation, *own))
        return repeat

    def starts(self, event: VisitEvent, service: str) -> tuple[bool, bool]:
        generation = self.append_ms // PLAN.visit_ms
        visitor = (event.project or "", event.visitor)
        live = [row for row in self.seen if row[0] >= generation - (PLAN.visit_count - 1) and row[1] == visitor]
        visit = all(event.ts - ts >= 30 * 60_000 for _g, _v, _s, ts in live if ts == max(r[3] for r in live))
        own = [row for row in live if row[2] == service]
        of_service = all(event.ts - ts >= 30 * 60_000 for _g, _v, _s, ts in own if ts == max(r[3] for r in own))
        self.seen.append((generation, visitor, service, event.ts))
        return visit, of_service

    def fields(self, catalog: Catalog, event: VisitEvent) -> list[Field]:
        region, academy = catalog.uai_index[event.uai]
        service = str(event.service) if event.service in catalog.service_codes else UNKNOWN
        project = str(event.project) if event.project in catalog.project_codes else UNKNOWN
        profile = str(event.profile) if event.profile in catalog.profile_codes else UNKNOWN
        repeat = self.is_repeat(event)
        visit, of_service = self.starts(event, service)
        if repeat:
            return [(Cut.DUPLICATE,)]
        fields: list[Field] = [
            (Cut.EVENTS, region, service),
            (Cut.PROJECT, project),
            (Cut.PROFILE, profile, region),
            (Cut.ACADEMY, academy),
        ]
        if visit:
            fields += [
                (Cut.VISITS, region),
                (Cut.VISIT_PROJECT, project),
                (Cut.VISIT_PROFILE, profile, region),
                (Cut.VISIT_ACADEMY, academy),
            ]
        if of_service:
            fields.append((Cut.SERVICE_VISITS, region, service))
        if event.ts < self.watermark_ms:
            fields.append((Cut.LATE, region))
        self.watermark_ms = max(self.watermark_ms, min(event.ts, self.append_ms) - LATENESS_MS)
        return fields
