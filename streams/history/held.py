"""What an archive holds, for those who asked for something else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from streams.errors import VigieError
from streams.history.weeks import held_weeks

RUNS_SHOWN_MAX = 6


class NoDataError(VigieError):
    """Nothing is known of a range that was asked for."""

    exit_code = 1


def held_text(days: Sequence[date], directory: Path) -> str:
    """Days and weekly figures that an archive holds."""
    weeks = held_weeks(directory)
    text = f"the archive holds {counted(len(days), 'day')}: {_runs(days, 1)}" if days else "the archive holds no day"
    if weeks:
        text += f"; weekly figures of {counted(len(weeks), 'week')}, by their Mondays: {_runs(weeks, 7)}"
        text += " (they serve as an earlier side alone)"
    return text


def _runs(days: Sequence[date], step_days: int) -> str:
    """Runs of days or weeks, the latest ones."""
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=step_days):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    shown = [f"{first} to {last}" if first != last else f"{first}" for first, last in runs[-RUNS_SHOWN_MAX:]]
    earlier = len(runs) - len(shown)
    return (f"{counted(earlier, 'earlier range')}, " if earlier else "") + ", ".join(shown)


def counted(number: int, what: str) -> str:
    """`1 day`, `1,234 days`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
