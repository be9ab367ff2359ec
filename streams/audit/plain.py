"""The rules of counting, written a second time from docs/architecture.md alone, as plainly as they can be; no code of `streams.count`.

One record at a time, one dictionary an aspect or a stretch of append time. Slow and obvious: where this and the counters agree, a defect
would have to be made twice.

A visitor's event starts a visit when nothing of the visitor is remembered, or it lies 30 minutes or more after the latest `ts`
remembered; the same for a visitor and a service. Remembered is what was appended in the present stretch and the four before, stretches
being aligned to the epoch. Repeats of an id and late events are remembered too; a repeat starts nothing.
"""

from collections import Counter

from streams.catalog import UNKNOWN, Catalog
from streams.events import EventBounds, Reason, VisitEvent, validate

VISIT_GAP_MS = 30 * 60_000
STRETCHES = 5
_Seen = dict[tuple[str, str], int]
#: Stands for "any service": the visitor alone. No service has an empty code.
ANY = ""


def stretch_ms(ahead_ms: int, lateness_ms: int) -> int:
    """Length of a stretch: a multiple of 10 s, so long that all but the present one cover a visit's gap and all disorder."""
    steps = -(-(VISIT_GAP_MS + ahead_ms + lateness_ms) // ((STRETCHES - 1) * 10_000))
    return steps * 10_000


class PlainVisits:
    """The visits of one partition; feed it every accepted event in log order."""

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._stretches: dict[int, _Seen] = {}
        self._services_of_visit: dict[str, set[str]] = {}
        #: Visits of services by the ministry's rule: each service once a visit. Ours can exceed it on visits of over 30 minutes.
        self.ministry_service_visits = 0

    def starts(self, append_ms: int, ts: int, visitor: str, service: str, repeat: bool) -> tuple[bool, bool]:
        """Return whether this event starts a visit, and a visit of its service; remember it."""
        number = append_ms // self._length_ms
        for old in [known for known in self._stretches if known < number - (STRETCHES - 1)]:
            del self._stretches[old]
        visit = self._is_new(ts, visitor, ANY) and not repeat
        of_service = self._is_new(ts, visitor, service) and not repeat
        present = self._stretches.setdefault(number, {})
        for name in (ANY, service):
            present[(visitor, name)] = max(ts, present.get((visitor, name), ts))
        if not repeat:
            self._follow_ministry(visitor, service, visit)
        return visit, of_service

    def _is_new(self, ts: int, visitor: str, service: str) -> bool:
        remembered = [seen[(visitor, service)] for seen in self._stretches.values() if (visitor, service) in seen]
        return not remembered or ts - max(remembered) >= VISIT_GAP_MS

    def _follow_ministry(self, visitor: str, service: str, visit: bool) -> None:
        services = self._services_of_visit.setdefault(visitor, set())
        if visit:
            services.clear()
        if service not in services:
            services.add(service)
            self.ministry_service_visits += 1


#: Ids are remembered by stretches of append time of this length, aligned to the epoch: the present stretch and the one before.
IDS_STRETCH_MS = 10 * 60_000

#: What a row counts, and its codes: ("region,service", "44", "NOTES"), ("project", "mbn"), ("late", "44"), ("rejected", "too_old").
Row = tuple[str, ...]
#: A project as it was sent ("" for none) and an id: what makes an event a repeat.
_Own = tuple[str, str]


class PlainCount:
    """The counts of a whole topic; feed it the records of each partition in log order."""

    def __init__(self, catalog: Catalog, bounds: EventBounds, lateness_ms: int, visits: bool = False) -> None:
        """`visits` counts visits too, which takes about twice as long."""
        self._stretch_ms = stretch_ms(bounds.ahead_ms_max, lateness_ms) if visits else None
        self._visits: dict[int, PlainVisits] = {}
        self._places = catalog.uai_index
        self._services = set(catalog.service_codes)
        self._projects = set(catalog.project_codes)
        self._profiles = set(catalog.profile_codes)
        self._bounds = bounds
        self._lateness_ms = lateness_ms
        self._append_ms: dict[int, int] = {}
        self._watermark_ms: dict[int, int] = {}
        #: partition -> (number of the present stretch, its (project, id)s, those of the stretch before)
        self._ids: dict[int, tuple[int, set[_Own], set[_Own]]] = {}
        self.records = 0
        #: epoch minute -> row -> events
        self.minutes: dict[int, Counter[Row]] = {}
        #: rows without a minute: rejected events, and repeats of an id
        self.apart: Counter[Row] = Counter()

    def add(self, partition: int, append_ms: int, value: bytes | None) -> None:
        """Count one record. `append_ms` is its Kafka timestamp (log append time); a partition's clock never goes back."""
        self.records += 1
        append_ms = max(append_ms, self._append_ms.get(partition, 0))
        self._append_ms[partition] = append_ms
        event = validate(value, append_ms, self._bounds)
        if isinstance(event, Reason):
            self.apart["rejected", event.value] += 1
            return
        service = str(event.service) if event.service in self._services else UNKNOWN
        repeat = self._is_repeat(partition, append_ms, (event.project or "", event.id))
        visit, of_service = self._starts(partition, append_ms, event, service, repeat)
        if repeat:
            self.apart["duplicate",] += 1
            return
        region, academy = self._places[event.uai]
        project = str(event.project) if event.project in self._projects else UNKNOWN
        profile = str(event.profile) if event.profile in self._profiles else UNKNOWN
        rows = self.minutes.setdefault(event.ts // 60_000, Counter())
        rows["region,service", region, service] += 1
        rows["project", project] += 1
        rows["profile,region", profile, region] += 1
        rows["academy", academy] += 1
        if visit:
            rows["visits", region] += 1
            rows["visits by project", project] += 1
            rows["visits by profile,region", profile, region] += 1
            rows["visits by academy", academy] += 1
        if of_service:
            rows["service visits", region, service] += 1
        watermark_ms = self._watermark_ms.get(partition, 0)
        if event.ts < watermark_ms:
            rows["late", region] += 1
        self._watermark_ms[partition] = max(watermark_ms, min(event.ts, append_ms) - self._lateness_ms)

    def add_unread(self, partition: int, append_ms: int, reason: Reason, number: int) -> None:
        """Count the records of a batch that nobody can read."""
        self.records += number
        self._append_ms[partition] = max(append_ms, self._append_ms.get(partition, 0))
        self.apart["rejected", reason.value] += number

    def _is_repeat(self, partition: int, append_ms: int, own: _Own) -> bool:
        number = append_ms // IDS_STRETCH_MS
        last, present, before = self._ids.get(partition, (number, set(), set()))
        if number != last:
            present, before = set(), present if number == last + 1 else set()
        self._ids[partition] = (number, present, before)
        known = own in present or own in before
        present.add(own)  # a repeat is remembered like any event
        return known

    def _starts(
        self, partition: int, append_ms: int, event: VisitEvent, service: str, repeat: bool
    ) -> tuple[bool, bool]:
        if self._stretch_ms is None:
            return False, False
        visits = self._visits.setdefault(partition, PlainVisits(self._stretch_ms))
        visitor = (
            f"{len(event.project or '')} {event.project or ''} {event.visitor}"  # its pseudonym is its project's own
        )
        return visits.starts(append_ms, event.ts, visitor, service, repeat)

    def ministry_service_visits(self) -> int:
        """Visits of services by the ministry's rule, over all partitions: each service once a visit."""
        return sum(visits.ministry_service_visits for visits in self._visits.values())

    def totals(self) -> dict[Row, int]:
        """Return the counts over all minutes, with those that have none."""
        found = Counter(self.apart)
        for rows in self.minutes.values():
            found.update(rows)
        return found
