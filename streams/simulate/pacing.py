"""Where a simulated day lies on the clock, and how far it may have been sent at a moment. Pure: the clock is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streams.errors import InputError
from streams.simulate.scenario import Scenario

#: A simulator that begins this long after `live_from` was due still sends the run-up: the stack took its time to start.
LATE_START_SECONDS = 600
#: A shift that puts the clock this far before the scenario's run-up, or this far after it, was made for another scenario.
DAYS_BEFORE_MAX, DAYS_AFTER_MAX = 1, 14
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of the clock from `begin_s` on are sent: `speed` of them a second from the moment `started_at`, never ahead of the clock."""

    begin_s: int
    started_at: float
    speed: float

    def end_s(self, now: float) -> int:
        """The second of the clock before which everything may have been sent at `now`; every event of those seconds lies in the past."""
        caught_up = self.begin_s + self.speed * (now - self.started_at)
        return max(self.begin_s, math.floor(min(now, caught_up)))


def begin_second(scenario: Scenario, shift_seconds: int, now: float, reached_s: int | None) -> int:
    """The second of the clock with which a simulator begins that starts at `now`; `reached_s` is where an earlier one ended, if any.

    The first one begins with the run-up. One that is started again goes on from now; in the run-up, from where the earlier one ended.

    Raises:
        InputError: the shift was made for another scenario.
    """
    live_from_s = scenario.live_from_s - shift_seconds
    run_up_s = scenario.begin_s - shift_seconds
    if not -DAYS_BEFORE_MAX * _DAY_SECONDS <= now - run_up_s <= DAYS_AFTER_MAX * _DAY_SECONDS:
        raise InputError(
            f"calendar_shift_seconds is {shift_seconds}, which is not the day of scenario {scenario.name} ({scenario.date}): choose "
            "the scenario that the running stack was started with, or stop that stack first"
        )
    if reached_s is not None:
        return math.floor(now) if now >= live_from_s else max(run_up_s, reached_s + 1)
    return run_up_s if now < live_from_s + LATE_START_SECONDS else math.floor(now)
