"""Visits, written a second time from docs/architecture.md alone: one event at a time, one dictionary a stretch of append time.

A visitor's event starts a visit when nothing of the visitor is remembered, or it lies 30 minutes or more after the latest `ts`
remembered; the same for a visitor and a service. Remembered is what was appended in the present stretch and the four before, stretches
being aligned to the epoch. Repeats of an id and late events are remembered too; a repeat starts nothing.
"""

from __future__ import annotations

VISIT_GAP_MS = 30 * 60_000
STRETCHES = 5
_Seen = dict[tuple[str, str], int]
#: Stands for "any service": the visitor alone. No service has an empty code.
ANY = ""


def stretch_ms(ahead_ms: int, lateness_ms: int) -> int:
    """Length of a stretch: a multiple of 10 s, so long that all but the present one cover a visit's gap and all disorder."""
    needed = VISIT_GAP_MS + ahead_ms + lateness_ms
    steps = -(-needed // ((STRETCHES - 1) * 10_000))
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
