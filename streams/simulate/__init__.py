"""Simulated traffic with a known truth: a seeded day of visits, written to a file or published live.

`scenario` and `shape` say how much traffic a day has, `population` who makes it, `visits` and `traffic` turn both into events second by
second, `odd` breaks some of them, `book` and `truth` keep what must come out, `pacing` puts the day on the clock, `files` and `live` carry
the events away.
"""

from streams.simulate.scenario import (
    DEFAULT_SPEED,
    Scenario,
    Scenarios,
    load_scenarios,
    scenario_shift_seconds,
)
from streams.simulate.truth import MinuteTruth, Truth, load_truth

__all__ = [
    "DEFAULT_SPEED",
    "MinuteTruth",
    "Scenario",
    "Scenarios",
    "Truth",
    "load_scenarios",
    "load_truth",
    "scenario_shift_seconds",
]
