"""At which lengths deviations are looked for, in rows of a step. Pure."""

import math
from dataclasses import dataclass

#: Hours of a day.
HOURS = 24
#: Sudden deviations, against the day so far; minutes.
SUDDEN_MINUTES = (1, 2, 3, 5, 10, 15, 30)
#: Lasting deviations, against comparable days alone; minutes.
LASTING_MINUTES = (30, 60, 120, 240, 480)
#: ... of days, where rows are at least so long: shorter ones have enough counts to tell a lasting deviation within hours.
DAYS_MINUTES, DAYS_FROM_MINUTES = (1440, 2880, 4320), 15
#: Kinds of windows, which have limits of their own: sudden, lasting for hours, lasting for days.
GROUPS, HOURS_LONG = 3, 1
#: A deviation must last two rows where rows are shorter than this: one minute of retries is no surge.
SINGLE_ROW_FROM_MINUTES = 5
#: The day so far: its level is read from so many parts of so many minutes (at least one row) just before a window begins.
LEVEL_PART_MINUTES = 15
LEVEL_PARTS = 3
#: Rows that are kept: the longest local day, 25 hours; also how far back a silence is looked for.
KEPT_MINUTES = 1500
#: A deviation is over when it was calm for this long, at least two rows.
CALM_MINUTES = 15
#: The last rows must still deviate for an alert to be raised.
FRESH_MINUTES = 3


@dataclass(frozen=True, slots=True)
class Scales:
    """Lengths in rows. `sudden` and `lasting` are rising; `single` tells whether one row alone can raise an alert."""

    step_minutes: int
    sudden: tuple[int, ...]
    lasting: tuple[int, ...]
    single: bool
    level_part: int
    fresh: int
    calm: int
    silence_rows_min: int
    lookback: int

    @property
    def windows(self) -> tuple[int, ...]:
        """Sudden windows, then lasting ones."""
        return self.sudden + self.lasting

    @property
    def groups(self) -> tuple[int, ...]:
        """The kind of each window: 0 sudden, 1 lasting for hours, 2 for days."""
        longest = LASTING_MINUTES[-1]
        return (0,) * len(self.sudden) + tuple(1 + (rows * self.step_minutes > longest) for rows in self.lasting)

    @property
    def part_window(self) -> int:
        """Which sudden window is as long as a part of the level."""
        return min(range(len(self.sudden)), key=lambda number: abs(self.sudden[number] - self.level_part))

    @property
    def level_reach(self) -> int:
        """Rows before a sudden window that its level is read from."""
        return self.level_part * LEVEL_PARTS

    @staticmethod
    def of(step_minutes: int) -> "Scales":
        """The lengths for rows of `step_minutes` (1 to 60)."""
        single = step_minutes >= SINGLE_ROW_FROM_MINUTES
        least = 1 if single else 2
        sudden = sorted({max(least, math.ceil(minutes / step_minutes)) for minutes in SUDDEN_MINUTES})
        days = DAYS_MINUTES if step_minutes >= DAYS_FROM_MINUTES else ()
        lasting = sorted({max(least, math.ceil(minutes / step_minutes)) for minutes in LASTING_MINUTES + days})
        part = max(1, LEVEL_PART_MINUTES // step_minutes)
        kept = math.ceil(KEPT_MINUTES / step_minutes)
        return Scales(
            step_minutes,
            tuple(sudden),
            tuple(lasting),
            single,
            part,
            fresh=max(1, FRESH_MINUTES // step_minutes),
            calm=max(2, CALM_MINUTES // step_minutes),
            silence_rows_min=1 if single else 2,
            lookback=max(lasting[-1], sudden[-1] + part * LEVEL_PARTS, kept) + 1,
        )
