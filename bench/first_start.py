"""`python -m bench.first_start --past DIR`: CPU of an observer's first start over an archive: what its detector reads and judges.

DIR is an archive that `vigie simulate --years 0.27 --until 2026-02-02 --scale 0.02 --archive DIR` wrote. Nothing is remembered from an
earlier start; Redis is not asked. Exit status 1 when it takes longer than the goal.
"""

import argparse
import cProfile
import os
import pstats
import sys
import time
from datetime import timedelta
from pathlib import Path

from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.reading import History
from streams.observe.loading import Loading
from streams.observe.series import make_plan
from streams.observe.told import NeverSeen, expected_projects
from streams.settings import default_config_dir

DAYS = 91
GOAL_SECONDS = 15.0


def main() -> int:
    """Load once, print; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.first_start", description=__doc__)
    parser.add_argument("--past", type=Path, required=True)
    parser.add_argument("--profile", action="store_true", help="also where the time goes, function by function")
    asked = parser.parse_args()
    catalog = load_catalog(default_config_dir())
    calendar = load_calendar(default_config_dir(), catalog)
    history = History(Archive(asked.past), catalog)
    held = history.archive.dates()
    if len(held) < DAYS:
        parser.error(f"{asked.past} holds {len(held)} days: {DAYS} are needed")
    today = held[-1] + timedelta(days=1)
    plan = make_plan(catalog, calendar)
    never = NeverSeen(expected_projects(catalog, calendar, plan), 0)
    loading = Loading(plan, never, None, lambda: None, recalls=False)
    first_kept = today - timedelta(days=DAYS)
    history.archive.dates = lambda: [day for day in held if day >= first_kept]  # type: ignore[method-assign]
    profile = cProfile.Profile() if asked.profile else None
    cpu, wall = time.process_time(), time.monotonic()
    if profile:
        profile.enable()
    loading.load(history, "bench", today, None)
    if profile:
        profile.disable()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    series = sum(len(group.series) for group in plan.groups)
    print(
        f"{series} series, {DAYS} days: {cpu:.1f} s of CPU, {wall:.1f} s of wall time for {loading.days} days read; "
        f"load {os.getloadavg()[0]:.1f}"
    )
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    met = cpu < GOAL_SECONDS
    print(f"goal: under {GOAL_SECONDS:.0f} s of CPU: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
