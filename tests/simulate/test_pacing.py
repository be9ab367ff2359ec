"""A day on the clock: never ahead of it, caught up when it should be, gone on from now after a restart."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import InputError
from streams.publish import BufferFull, Deliveries
from streams.simulate.inputs import Configuration, make_book
from streams.simulate.live import LATE_START_SECONDS, LiveRun, Pace, begin_second
from streams.simulate.scenario import DEFAULT_SPEED, scenario_shift_seconds
from streams.simulate.traffic import Generator
from streams.simulate.truth import load_truth
from tests.simulate.conftest import MakePlan

NOW = 1_795_622_400.75


@pytest.mark.parametrize("speed", [2.0, 7.5, DEFAULT_SPEED, 1000.0])
@pytest.mark.parametrize("name", ["ordinary", "rentree", "storm"])
def test_the_run_up_ends_at_live_from(name: str, speed: float, configurations: dict[str, Configuration]) -> None:
    scenario = configurations[name].scenario
    shift = scenario_shift_seconds(scenario, NOW, speed)
    begin_s = begin_second(scenario, shift, NOW, None)
    assert begin_s + shift == scenario.begin_s
    assert scenario.at("07:07") == scenario.begin_s
    pace = Pace(begin_s, NOW, speed)
    takes = scenario.past_minutes * 60 / speed
    before, after = NOW + takes - 2, NOW + takes + 2
    assert pace.end_s(before) < int(before)
    assert pace.end_s(after) == int(after)
    assert abs(after + shift - scenario.live_from_s) <= 4


def test_the_default_run_up_takes_one_to_two_minutes(configurations: dict[str, Configuration]) -> None:
    for configuration in configurations.values():
        assert 60 <= configuration.scenario.past_minutes * 60 / DEFAULT_SPEED <= 120


@given(
    begin=st.integers(-7200, 30),
    speed=st.floats(2, 86_400),
    at=st.lists(st.floats(-10, 10_000), min_size=1, max_size=9),
)
def test_never_ahead_of_the_clock(begin: int, speed: float, at: list[float]) -> None:
    pace = Pace(int(NOW) + begin, NOW, speed)
    for passed in at:
        now = NOW + passed
        end_s = pace.end_s(now)
        # Every event of the seconds before end_s lies in the past; nothing is due yet where end_s is the beginning.
        assert end_s <= now or end_s == pace.begin_s


def test_a_restart_goes_on_from_now(configurations: dict[str, Configuration]) -> None:
    scenario = configurations["rentree"].scenario
    shift = scenario_shift_seconds(scenario, NOW, 25)
    live_from = scenario.live_from_s - shift
    first = scenario.begin_s - shift
    assert begin_second(scenario, shift, live_from + 500, first + 900) == live_from + 500
    assert begin_second(scenario, shift, NOW + 30, first + 900) == first + 901  # in the run-up: no second one
    assert begin_second(scenario, shift, live_from + LATE_START_SECONDS - 1, None) == first  # a slow start
    assert (
        begin_second(scenario, shift, live_from + LATE_START_SECONDS + 1.5, None) == live_from + LATE_START_SECONDS + 1
    )


def test_a_shift_of_another_scenario_is_refused(configurations: dict[str, Configuration]) -> None:
    shift = scenario_shift_seconds(configurations["rentree"].scenario, NOW, 25)
    for name in ("ordinary", "storm"):
        with pytest.raises(InputError, match="not the day of scenario"):
            begin_second(configurations[name].scenario, shift, NOW, None)


@pytest.mark.parametrize("speed", [0.0, 1.0, -3.0, 1e9, float("nan")])
def test_a_speed_that_never_catches_up_is_refused(speed: float, configurations: dict[str, Configuration]) -> None:
    with pytest.raises(InputError, match="--speed"):
        scenario_shift_seconds(configurations["rentree"].scenario, NOW, speed)


class ManualClock(threading.Event):
    """A clock that goes on when somebody waits; it is the stop event as well, set when its time is over."""

    def __init__(self, ends: float) -> None:
        super().__init__()
        self.time = NOW
        self._ends = ends

    def __call__(self) -> float:
        return self.time

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.time += timeout
        if self.time >= self._ends:
            self.set()
        return self.is_set()


class Recorder:
    """A publisher that keeps what it is given; full at every 100th event until asked again."""

    def __init__(self, on_send: Callable[[bytes], None]) -> None:
        self._on_send = on_send
        self._refused = False
        self.pending = self.failed = self.delivered = 0

    def send_raw(self, value: bytes, key: bytes | None, tag: object = None) -> object:
        if self.delivered % 100 == 99 and not self._refused:
            self._refused = True
            raise BufferFull("full", 1)
        self._refused = False
        self.delivered += 1
        self._on_send(value)
        return None

    def close(self, timeout_seconds: float = 30.0) -> Deliveries:
        return Deliveries(self.delivered, self.delivered, 0, 0, {}, ())


@pytest.mark.alone
def test_live_traffic_is_never_ahead_and_catches_up(make_plan: MakePlan, tmp_path: object) -> None:
    plan = make_plan("rentree", "07:45", 0.005, clean=True, shift_seconds=0)
    begin_s = int(NOW) - 240
    plan = make_plan("rentree", "07:45", 0.005, clean=True, shift_seconds=plan.first_s - begin_s)
    generator = Generator(plan)
    book = make_book(plan, generator)
    clock = ManualClock(NOW + 30)
    ahead: list[float] = []
    newest: list[int] = []

    def look(value: bytes) -> None:
        ts = json.loads(value)["ts"]
        newest.append(ts)
        if ts > clock() * 1000:
            ahead.append(ts)

    said: list[str] = []
    path = tmp_path / "truth.json"  # type: ignore[operator]
    publisher: Any = Recorder(look)
    LiveRun(
        generator,
        book,
        publisher,
        pace=Pace(begin_s, NOW, 20),
        truth=path,
        seconds=None,
        say=said.append,
        stop=clock,
        now=clock,
    ).run()
    assert ahead == []
    assert clock() - newest[-1] / 1000 < 2.5
    assert newest[0] / 1000 < begin_s + 5
    truth = load_truth(path)
    assert truth.complete
    assert truth.published == publisher.delivered == len(newest) > 500
    assert len(said) >= 3
    assert "behind the clock" in said[-1]
