"""What the last records of the topic say about one project: all that an integrator needs to mend their side. Pure; fed by `check_project`.

The records themselves are looked at, not the counts: a reject that was not kept, a repeat, a key in the wrong place all show there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.audit.rejects import NO_PROJECT, explain, printable, project_of
from streams.catalog import UNKNOWN, Catalog
from streams.events import PSEUDONYM_CHARACTERS_MIN, EventBounds, Reason, VisitEvent, is_pseudonymous, validate
from streams.publish.producer import murmur2

LAST_EVENTS = 5
#: Different unknown values of a kind that are told apart, and how many are named.
VALUES_MAX = 500
VALUES_NAMED = 5
VALUE_CHARACTERS_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Seen:
    """One accepted event, and when the broker took it."""

    append_ms: int
    event: VisitEvent
    partition: int


@dataclass(slots=True)
class Example:
    """How often, and one of them."""

    number: int = 0
    first: str = ""

    def add(self, text: str) -> None:
        """Count one."""
        self.number += 1
        self.first = self.first or text


@dataclass(slots=True)
class ProjectView:
    """Feed it records with `add`; then read what it found. `others` are records of other projects, `nobodys` those that name none."""

    project: str
    catalog: Catalog
    bounds: EventBounds
    partitions: int = 1
    shift_seconds: int = 0  # scenario time minus clock: times are told in Paris, by the scenario
    accepted: int = 0
    others: int = 0
    nobodys: int = 0
    last: list[Seen] = field(default_factory=list)
    behind_ms: list[int] = field(default_factory=list)
    rejected: dict[Reason, Example] = field(default_factory=dict)
    unknown: dict[str, Counter[str]] = field(default_factory=dict)
    #: Repeats of an id within a partition (counted once), and in another one (counted twice).
    repeats: int = 0
    repeats_elsewhere: Example = field(default_factory=Example)
    no_key: int = 0
    other_key: Example = field(default_factory=Example)
    #: Records that nobody can read: they may be anybody's.
    unread: int = 0
    wrong_partition: Example = field(default_factory=Example)
    no_pseudonyms: Example = field(default_factory=Example)
    visitors: set[str] = field(default_factory=set)
    _ids: dict[str, int] = field(default_factory=dict)

    def add(self, partition: int, append_ms: int, key: bytes | None, value: bytes | None) -> None:
        """Look at one record."""
        found = validate(value, append_ms, self.bounds)
        named = (found.project or NO_PROJECT) if isinstance(found, VisitEvent) else project_of(value)
        if named != self.project:
            self.nobodys += named == NO_PROJECT
            self.others += named != NO_PROJECT
            return
        if isinstance(found, Reason):
            why = explain(value)
            text = f"{printable(value, VALUE_CHARACTERS_SHOWN)}{f' ({why})' if why else ''}"
            self.rejected.setdefault(found, Example()).add(text)
            return
        self.accepted += 1
        self.visitors.add(found.visitor)
        self.behind_ms.append(append_ms - found.ts)
        # Partitions come one after the other: the newest of all of them are wanted.
        if len(self.last) < LAST_EVENTS or append_ms >= self.last[0].append_ms:
            last = [*self.last, Seen(append_ms, found, partition)]
            self.last = sorted(last, key=lambda each: each.append_ms)[-LAST_EVENTS:]
        self._look_up(found)
        self._place(partition, key, found)
        if len(found.visitor) < PSEUDONYM_CHARACTERS_MIN or not is_pseudonymous(found.visitor):
            self.no_pseudonyms.add(printable(found.visitor.encode(), 8))

    def _look_up(self, event: VisitEvent) -> None:
        known = (
            ("service", event.service, event.service in self.catalog.service_codes and event.service != UNKNOWN),
            ("profile", event.profile, event.profile in self.catalog.profile_codes and event.profile != UNKNOWN),
            ("uai", event.uai, self.catalog.uai_index[event.uai][0] != UNKNOWN),
        )
        for name, value, is_known in known:
            if not is_known:
                values = self.unknown.setdefault(name, Counter())
                shown = "(absent)" if not value else printable(value.encode(errors="replace"), 64)
                if value and value != value.strip():  # `NOTES ` is not `NOTES`
                    shown = f'"{shown}"'
                values[shown if shown in values or len(values) < VALUES_MAX else "(others)"] += 1

    def _place(self, partition: int, key: bytes | None, event: VisitEvent) -> None:
        first = self._ids.get(event.id)
        if first is None:
            self._ids[event.id] = partition
        elif first == partition:
            self.repeats += 1
        else:
            self.repeats_elsewhere.add(f"id {printable(event.id.encode(), 64)} in partitions {first} and {partition}")
        if key is None:
            self.no_key += 1
        elif key != event.visitor.encode():
            self.other_key.add(f"key {printable(key, 24)}, visitor {printable(event.visitor.encode(), 24)}")
        elif (right := (murmur2(key) & 0x7FFFFFFF) % self.partitions) != partition:
            self.wrong_partition.add(
                f"visitor {printable(key, 24)} lies in partition {partition}, murmur2 says {right}"
            )


def share_of(sorted_values: Sequence[int], share: float) -> int:
    """The value below which this share lies."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]
