"""Which events a simulated ENT sends through the collector: good ones of its own, of which no clock is in doubt."""

from typing import Any

import orjson
import pytest

from streams.publish import Deliveries
from streams.simulate.live import TwoWays

NOW_S = 1_788_242_592.0
NOW_MS = int(NOW_S * 1000)
EVENT: dict[str, object] = {"v": 1, "id": "a", "ts": NOW_MS, "project": "mbn", "visitor": "9f2c"}


class Kept:
    """Takes what it is sent."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.pending, self.failed = 2, 1

    @property
    def delivered(self) -> int:
        return len(self.values)

    def send_raw(self, value: bytes, key: bytes | None, tag: object = None) -> None:
        self.values.append(value)

    def close(self, timeout_seconds: float = 30.0) -> Deliveries:
        return Deliveries(3, 2, 1, 0, {"away": 1}, ())


def test_good_events_of_the_project_alone() -> None:
    kafka: Any = Kept()
    collector: Any = Kept()
    ways = TwoWays(kafka, collector, "mbn", lambda: NOW_S)
    good = [orjson.dumps(EVENT), orjson.dumps(EVENT | {"ts": NOW_MS - 3_600_000})]
    others = [
        orjson.dumps(EVENT | {"project": "oze"}),
        orjson.dumps({**EVENT, "id": ""}),
        orjson.dumps(EVENT | {"ts": NOW_MS + 60_000}),
        orjson.dumps(EVENT | {"ts": NOW_MS - 48 * 3_600_000}),
        orjson.dumps({"x": EVENT} | EVENT | {"project": None}),
        orjson.dumps(EVENT)[:-1],
        b"",
    ]
    for value in [*good, *others]:
        ways.send_raw(value, b"key")
    assert (collector.values, kafka.values) == (good, others)
    assert (ways.pending, ways.delivered, ways.failed) == (4, 9, 2)
    assert ways.close() == Deliveries(6, 4, 2, 0, {"away": 2}, ())


@pytest.mark.parametrize("value", [b'{"project":"mbn"', b"\xff"])
def test_rubbish_goes_to_kafka(value: bytes) -> None:
    kafka: Any = Kept()
    collector: Any = Kept()
    TwoWays(kafka, collector, "mbn").send_raw(value, None)
    assert (collector.values, kafka.values) == ([], [value])
