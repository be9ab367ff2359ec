"""The shipped configuration, read once, and short ways to a plan of each kind."""

from collections.abc import Callable
from typing import Any

import pytest

from streams.settings import default_config_dir
from streams.simulate.inputs import Configuration
from streams.simulate.traffic import TrafficPlan

CLOCK_S = 1_795_622_400  # 2026-11-23T16:00:00Z, a whole minute

MakePlan = Callable[..., TrafficPlan]


@pytest.fixture(scope="session")
def configurations() -> dict[str, Configuration]:
    return {name: Configuration.load(default_config_dir(), name) for name in ("ordinary", "rentree", "storm")}


@pytest.fixture(scope="session")
def make_plan(configurations: dict[str, Configuration]) -> MakePlan:
    """A plan of a scenario that begins at `begin` (Paris) of its day and at CLOCK_S of the clock."""

    def make(name: str, begin: str, scale: float, **options: Any) -> TrafficPlan:
        configuration = configurations[name]
        first_s = configuration.scenario.at(begin)
        given: dict[str, Any] = {"seed": 1, "run": "t", "shift_seconds": first_s - CLOCK_S, **options}
        return configuration.plan(scale=scale, first_s=first_s, **given)

    return make
