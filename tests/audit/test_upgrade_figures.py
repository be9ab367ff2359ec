"""What an upgrade carries over, when it has caught up, and who still uses what is to be removed: plain values."""

from dataclasses import replace

import msgspec
import pytest

from streams.audit import recount, upgrade
from streams.audit.recount import RecountRules
from streams.audit.upgrade import Reach, carried, is_caught_up, readable, still_in_use, wait_caught_up
from streams.catalog import Catalog
from streams.count import Field, PartitionState
from streams.errors import StateError
from streams.events import EventBounds
from streams.live import Heartbeat, MinuteCounts, Snapshot
from streams.live.observers import ObserverSaid
from streams.topics import GroupMember

A, B, C = ("e", "44", "NOTES"), ("v", "44"), ("k", "not_json")
EMPTY = Snapshot(100_000, None, None, None, None, 0, None, {}, {}, {}, {})


def holding(*positions: int, settled_ms: int | None = 60_000) -> Snapshot:
    offsets = {number: PartitionState(position, 5, 4) for number, position in enumerate(positions)}
    firsts = dict.fromkeys(offsets, 0)
    return replace(
        EMPTY,
        layout="2",
        topic_id="t",
        partitions=len(positions),
        offsets=offsets,
        first_offsets=firsts,
        settled_ms=settled_ms,
    )


def test_the_base_is_what_only_the_old_one_counted() -> None:
    base, more = carried({A: 100, B: 10}, {A: 7}, {A: 57, B: 10})
    assert base == {A: 50}
    assert more == {}


def test_what_is_counted_more_often_is_told_and_not_carried() -> None:
    base, more = carried({A: 100, C: 3}, {}, {A: 101, C: 9, B: 1})
    assert base == {}
    assert more == {A: 1, C: 6, B: 1}


@pytest.mark.parametrize(
    ("old", "new", "is_so"),
    [
        (holding(5, 7), holding(5, 7), True),
        (holding(5, 7), holding(9, 8), True),
        (holding(5, 7), holding(9, 6), False),  # one partition is behind
        (holding(5, 7), holding(5, 7, settled_ms=None), False),
        (holding(5, 7, settled_ms=None), holding(5, 7, settled_ms=None), True),
        (holding(5, 7, settled_ms=119_999), holding(5, 7, settled_ms=61_000), True),  # within the running minute
        (holding(5, 7, settled_ms=120_000), holding(5, 7, settled_ms=119_999), False),
        (holding(5, 7), EMPTY, False),
        (holding(), EMPTY, False),  # no worker of the new version came yet
        (holding(5, 7), holding(5), False),  # a partition that nobody counts
    ],
)
def test_caught_up(old: Snapshot, new: Snapshot, is_so: bool) -> None:
    assert is_caught_up(old, new) is is_so


def test_two_topics_are_refused() -> None:
    with pytest.raises(StateError, match="different topics"):
        wait_caught_up(
            lambda: holding(5), lambda: replace(holding(5), topic_id="u"), lambda: None, lambda _old, _new: None
        )


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (EMPTY, "holds no counts"),
        (replace(holding(5), layout="3"), "holds key layout 3"),
        (replace(holding(5), mark="0 5 6"), "only in part"),
    ],
)
def test_what_cannot_be_read_is_refused(snapshot: Snapshot, said: str) -> None:
    with pytest.raises(StateError, match=said):
        readable("vigie", snapshot)
    assert readable("vigie", replace(holding(5), layout="1")).layout == "1"


@pytest.mark.parametrize(
    ("reach", "is_short"),
    [
        (Reach(None, 100), False),
        (Reach(100, 100), False),
        (Reach(101, 100), True),
        (Reach(101, None), False),  # nothing is held
    ],
)
def test_reach(reach: Reach, is_short: bool) -> None:
    assert reach.is_short is is_short


def test_what_is_used_is_not_removed() -> None:
    snapshot = holding(5)
    assert still_in_use(snapshot) is None
    beat = Heartbeat("w:8001", 1, 8001, 5, 5, 0.0, 90_000, None, None, None, 0, 0)
    assert "w:8001" in str(still_in_use(replace(snapshot, heartbeats={0: beat})))
    assert still_in_use(replace(snapshot, heartbeats={0: msgspec.structs.replace(beat, at_ms=80_000)})) is None
    said = {"o:8000": ObserverSaid(1, 99_000, ())}
    assert "o:8000" in str(still_in_use(replace(snapshot, observers=said)))
    assert still_in_use(replace(snapshot, observers={"o:8000": ObserverSaid(1, 1_000, ())})) is None


class Held:
    """A reader whose minute moves on at each look."""

    def __init__(self, *counts: dict[Field, int]) -> None:
        self._counts = list(counts)

    def held(self, _first: int | None, _end: int) -> list[int]:
        return [100]

    def fetch(self, minutes: list[int]) -> list[MinuteCounts]:
        found = self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]
        return [MinuteCounts(minute, found) for minute in minutes]


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [
        (({A: 5},), ({A: 5},), 0),
        (({A: 5}, {A: 8}), ({A: 6},), 0),  # late events, which the new one has not all counted yet
        (({A: 5}, {A: 5}, {A: 5}, {A: 8}), ({A: 6},), 0),  # seen at the second look
        (({A: 5},), ({A: 6},), 1),
        (({A: 5},), ({A: 4},), 1),
        (({A: 5},), ({},), 1),
        (({A: 5},), ({A: 5, B: 1},), 1),
    ],
)
def test_rows_that_move_are_held_between_two_looks(
    monkeypatch: pytest.MonkeyPatch, old: tuple[dict[Field, int], ...], new: tuple[dict[Field, int], ...], differ: int
) -> None:
    monkeypatch.setattr(upgrade, "LOOK_SECONDS", 0)
    compared, rows = upgrade.unlike_minutes(Held(*old), Held(*new), None, 200)  # type: ignore[arg-type]
    assert compared == 1
    assert len(rows) == differ


def test_new_workers_are_kept_out_of_the_running_group() -> None:
    beat = Heartbeat("w:8001", 1, 8001, 5, 5, 0.0, 90_000, None, None, None, 0, 0)
    running = replace(holding(5), heartbeats={0: beat})
    theirs = [GroupMember("vigie-w-8001-topicid-3f")]
    assert upgrade.of_running_workers("vigie", theirs, running) == "w:8001"
    assert upgrade.of_running_workers("vigie", [GroupMember("vigie-w-8002-topicid-3f")], running) is None
    assert upgrade.of_running_workers("vigie", [], running) is None
    gone = replace(running, heartbeats={0: msgspec.structs.replace(beat, at_ms=1)})
    assert upgrade.of_running_workers("vigie", theirs, gone) is None


def test_a_recount_says_what_it_cannot_see(catalog: Catalog) -> None:
    rules = RecountRules(catalog, EventBounds(1, 1), 0, 72)
    told = recount._oddities(replace(holding(5), base={A: 1234, B: 7}, continues="vigie"), {}, rules)
    assert [note for note in told if "1,234 events were carried over from vigie" in note]
    assert not [note for note in recount._oddities(holding(5), {}, rules) if "carried over" in note]
