"""What a load test says of its seconds, and of delays."""

import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.errors import InputError
from streams.load_test.load_french import Balance, LoadTestResult
from streams.load_test.load_meter import LoadSecond, SentLog
from streams.load_test.load_verdict import LoadOutcome, LoadVerdict, delays_seconds, percentiles, verdict, workers_for


def _seconds(rates: list[int], counted: list[int], **changed: object) -> list[LoadSecond]:
    """Seconds in which so many were sent and counted."""
    cores = {"worker 0": 0.5, "redis": 0.2, "sender 0": 0.4}
    made = [
        LoadSecond(100.0 + place, sum(rates[: place + 1]), sum(counted[: place + 1]), 0.0, 0.6, cores)
        for place in range(len(rates))
    ]
    return [replace(one, **changed) for one in made]  # type: ignore[arg-type]


def test_a_rate_that_is_counted_as_it_comes_is_held() -> None:
    found = verdict(_seconds([5000] * 30, [4000] + [5000] * 29))
    assert found.outcome is LoadOutcome.HELD
    assert found.held_max == found.offered_max == 5000
    assert found.gave_way is None
    assert found.lag_max == 1000
    assert found.worker_us == pytest.approx(100.0)
    assert workers_for(20_000, found.worker_us) == 4
    assert workers_for(10, found.worker_us) == 2


def test_the_first_second_of_a_flow_is_no_lag() -> None:
    found = verdict(_seconds([0, 5000] + [5000] * 28, [0, 1000] + [5000] * 28))
    assert found.outcome is LoadOutcome.HELD
    assert found.lag_seconds_max == pytest.approx(0.8)


def test_what_was_full_when_the_lag_grew_gave_way() -> None:
    rates, counted = [5000] * 20 + [9000] * 30, [5000] * 50
    full = {"worker 0": 0.99, "redis": 0.3, "sender 0": 0.5}
    found = verdict(_seconds(rates, counted, cores=full))
    assert (found.outcome, found.gave_way) == (LoadOutcome.NOT_HELD, "worker 0")
    assert 5000 <= found.held_max < 8500
    assert found.offered_max == 9000
    assert found.gave_way_at is not None
    assert 120 < found.gave_way_at < 130
    crowded = verdict(_seconds(rates, counted, cores=full, machine=0.97))
    assert (crowded.outcome, crowded.gave_way) == (LoadOutcome.MACHINE_LIMITED, "machine")


def test_a_sender_that_is_late_is_told_from_a_chain_that_is() -> None:
    found = verdict(_seconds([5000] * 30, [5000] * 30, behind_seconds=4.0, cores={"sender 0": 0.99, "worker 0": 0.95}))
    assert (found.outcome, found.gave_way) == (LoadOutcome.NOT_HELD, "sender 0")
    assert found.held_max == 0


def test_a_full_machine_is_named_where_the_rate_was_held() -> None:
    assert verdict(_seconds([5000] * 30, [5000] * 30, machine=0.95)).outcome is LoadOutcome.MACHINE_LIMITED


def test_delays_are_those_of_each_partition() -> None:
    log = SentLog(np.array([10.0, 11.0, 12.0]), np.array([[2, 0], [4, 1], [4, 2]]), 6, 1.0)
    looked = np.array([10.5, 11.2, 13.0])
    delays, weights = delays_seconds([log], looked, np.array([[2, 0], [4, 0], [4, 1]]))
    told = sorted(zip(delays.round(3).tolist(), weights.tolist(), strict=True))
    assert told == [(0.2, 2), (0.5, 2), (2.0, 1), (math.inf, 1)]
    assert percentiles(delays, weights) == pytest.approx((0.5, math.inf, math.inf))
    assert all(math.isnan(each) for each in percentiles(np.zeros(0), np.zeros(0, np.int64)))


def test_two_senders_of_one_partition_are_one_flow() -> None:
    first = SentLog(np.array([10.0, 12.0]), np.array([[1], [2]]), 2, 1.0)
    second = SentLog(np.array([11.0]), np.array([[1]]), 1, 1.0)
    delays, _ = delays_seconds([first, second], np.array([10.1, 11.3, 12.6]), np.array([[1], [2], [3]]))
    assert sorted(delays.round(3).tolist()) == [0.1, 0.3, 0.6]


def test_the_report_says_it_in_french() -> None:
    found = LoadVerdict(
        LoadOutcome.MACHINE_LIMITED, 9000.0, 5200.0, 40_000, 4.4, 0.97, 0.3, "machine", 0.0, {"worker 0": 0.99}, 20.0
    )
    result = LoadTestResult(
        "2026-09-01", 10, "kafka", 2, 1, found, (0.1, 0.4, math.inf), Balance(100, 100, 98, 1, 1, 20, 20), {"worker 0": 200.0},
        5 << 20, 30_000.0, 36_000.0, "2026-09-01, fois 10", 0, ("3 visit(s) more than archived",),
    )  # fmt: skip
    text = "\n".join(result.lines())
    for said in (
        "limité par la machine",
        "a cédé le premier, à 01:00:00 : la machine entière",
        "p99 jamais",
        "écart 0",
        ": 2 ouvriers",
    ):
        assert said in text, text


@pytest.mark.parametrize("name", ["ent.visits", "vigie"])
def test_the_live_names_are_refused(name: str) -> None:
    done = CliRunner().invoke(cli, ["rehearse-load", "--day", "2026-09-01", "--name", name])
    assert isinstance(done.exception, InputError)
    assert "is the live chain's own" in str(done.exception)


def test_a_day_or_a_range_is_asked_for() -> None:
    for words in ([], ["--day", "2026-09-01", "--range", "2026-09-01", "2026-09-02"]):
        done = CliRunner().invoke(cli, ["rehearse-load", *words])
        assert isinstance(done.exception, InputError)
        assert "one of them" in str(done.exception)
