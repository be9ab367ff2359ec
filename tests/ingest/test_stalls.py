"""A partition whose log goes on while nothing arrives ends the worker, after a while; anything that moves begins the while anew."""

import pytest

from streams.catalog import Catalog
from streams.count import Counting, CountingRules, PartitionCounter, PartitionState
from streams.errors import ServerError
from streams.ingest import heartbeat
from streams.ingest.heartbeat import STALL_SECONDS_MAX, STANDING_SECONDS, Stalls
from streams.ingest.partition import Ledger
from tests.plain import BOUNDS, LATENESS_MS


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(heartbeat, "time", fake)
    return fake


def ledger_at(catalog: Catalog, position: int) -> Ledger:
    counter = PartitionCounter(Counting(CountingRules.of(catalog, BOUNDS, LATENESS_MS)), None)
    counter.next_offset = position
    return Ledger(0, counter, PartitionState(position, 0, 0), 0, position, position, 1)


def test_it_stands_then_it_stalls(catalog: Catalog, clock: Clock) -> None:
    stalls, ledger = Stalls(), ledger_at(catalog, 7)
    assert stalls.look({0: ledger}) == []
    clock.now += STANDING_SECONDS + 1
    assert stalls.look({0: ledger}) == [0]
    clock.now += STALL_SECONDS_MAX
    with pytest.raises(ServerError, match="partition 0 stands at 7"):
        stalls.look({0: ledger})


def test_what_moves_or_catches_up_or_is_explained_does_not_stall(catalog: Catalog, clock: Clock) -> None:
    stalls, ledger = Stalls(), ledger_at(catalog, 7)
    stalls.look({0: ledger})
    for way in ("moves", "catches up", "is explained"):
        clock.now += STALL_SECONDS_MAX - 1
        if way == "moves":
            ledger.counter.next_offset = ledger.warm_at = ledger.position + 1
        elif way == "catches up":
            stalls.look({})
        else:
            stalls.forget()
        assert stalls.look({0: ledger}) == []
