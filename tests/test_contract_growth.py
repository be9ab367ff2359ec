"""`v` 2 beside `v` 1: what the SDK of 23 November 2026 sent (its bytes, from that code) counts today, also between events of a version to
come.

A version to come is played here: a struct of its own, found by `v`, whose events become today's. Chains that know it count both, and what
was kept while they did not is counted by a replay.
"""

from collections import Counter
from pathlib import Path

import msgspec
import orjson

from streams.catalog import Catalog
from streams.collect.event_lines import validate_lines
from streams.count import Batch, Counting, CountingRules, Cut, PartitionCounter
from streams.events import EventBounds, Reason, VisitEvent, decode
from streams.publish import pseudonym
from tests.plain import sums

OLD = (Path(__file__).parent / "data" / "sdk-2026-11-23.ndjson").read_bytes().splitlines()
NOW_MS = 1_788_242_510_000
BOUNDS = EventBounds(pseudonyms_only=True)


class NextEvent(msgspec.Struct):
    """What `v: 2` might be: the establishment under another name, a member that must be there, several services."""

    v: int
    id: str
    ts: int
    visitor: str
    project: str
    school: str
    services: list[str]

    def as_today(self) -> bytes:
        """The event that it means today."""
        today = {"v": 1, "id": self.id, "ts": self.ts, "visitor": self.visitor, "project": self.project}
        return orjson.dumps({**today, "uai": self.school, "service": self.services[0]})


def next_event(number: int) -> bytes:
    event = NextEvent(2, f"next-{number}", NOW_MS - number, "77aa" * 16, "mbn", "0541234Y", ["NOTES"])
    return msgspec.json.encode(event)


def read_both(value: bytes) -> bytes:
    """What a chain that knows both does with a value before it counts."""
    if decode(value) is Reason.UNSUPPORTED_VERSION:
        return msgspec.json.decode(value, type=NextEvent).as_today()
    return value


def counted(catalog: Catalog, values: list[bytes]) -> tuple[Counter[tuple[str, ...]], list[bytes | None]]:
    """Counts, and the values of the dead letters."""
    counter = PartitionCounter(Counting(CountingRules.of(catalog, BOUNDS, 20_000)), None)
    delta = counter.count([Batch(NOW_MS, values, [None] * len(values), range(len(values)), len(values))])
    return sums(delta), [each.value for each in delta.rejects]


def test_what_an_old_sdk_sends_counts_today() -> None:
    assert len(OLD) == 5
    assert all(isinstance(decode(value), VisitEvent) for value in OLD)
    # And its pseudonyms are those of today: nobody became another visitor by an upgrade.
    assert orjson.loads(OLD[0])["visitor"] == pseudonym(b"0123456789abcdef0123456789abcdef", "31415")
    assert orjson.loads(OLD[3])["visitor"] == pseudonym(b"another secret of 32 characters.", "Amélie")


def test_a_version_to_come_is_rejected_whole_and_costs_an_old_sdk_nothing(catalog: Catalog) -> None:
    alone, _ = counted(catalog, OLD)
    assert (alone[Cut.DUPLICATE,], alone[Cut.PROJECT, "mbn"], alone[Cut.PROJECT, "elyco"]) == (1, 2, 2)
    mixed = [value for pair in zip(OLD, map(next_event, range(5)), strict=True) for value in pair]
    both, kept = counted(catalog, mixed)
    assert kept == mixed[1::2]
    assert both == alone + Counter({(Cut.REJECTED, "unsupported_version"): 5})


def test_a_chain_that_knows_both_counts_both_and_a_replay_counts_what_was_kept(catalog: Catalog) -> None:
    new = [next_event(number) for number in range(5)]
    mixed = [value for pair in zip(OLD, new, strict=True) for value in pair]
    known, _ = counted(catalog, [read_both(value) for value in mixed])
    assert (known[Cut.PROJECT, "mbn"], known[Cut.PROJECT, "elyco"], known[Cut.DUPLICATE,]) == (7, 2, 1)
    assert not any(key[0] == Cut.REJECTED for key in known)
    # Rejected first, replayed after the upgrade: the same events, in the same minutes.
    later, _ = counted(catalog, [*OLD, *[read_both(value) for value in new]])
    assert later[Cut.PROJECT, "mbn"] == known[Cut.PROJECT, "mbn"]


def test_the_collector_tells_an_old_and_a_new_sdk_apart_line_by_line() -> None:
    mine = [value for value in OLD if b'"mbn"' in value]
    lines = list(enumerate([*mine, next_event(1)], 1))
    found = validate_lines(lines, ("mbn",), BOUNDS, NOW_MS)
    assert [(each.line, each.reason) for each in found.refused] == [(4, Reason.UNSUPPORTED_VERSION)]
    assert [value for _key, value in found.records] == mine
