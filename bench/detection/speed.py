"""`python -m bench.detection.speed`: CPU of a settled minute of the whole country, and a year of minutes through the command."""

import datetime
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.observe.series import make_plan
from streams.settings import default_config_dir
from streams.watch import Judge

DAYS, MINUTES = 10, 120
FIRST = datetime.date(2026, 1, 5)
YEAR = 2025


def main() -> None:
    """Print both figures."""
    minutes_of_the_country()
    year_of_one_series()


def minutes_of_the_country() -> None:
    """All series of an observer, after some days of history; the minutes include a midnight."""
    catalog = load_catalog(default_config_dir())
    plan = make_plan(catalog, load_calendar(default_config_dir(), catalog))
    minute = int(datetime.datetime.combine(FIRST, datetime.time(22), datetime.UTC).timestamp()) // 60
    judges = [Judge(group, minute) for group in plan.groups]
    rng = np.random.default_rng(1)

    def judge(minutes: int) -> None:
        nonlocal minute
        table = rng.poisson(30, size=(plan.rows, minutes)).astype(float)
        for one in judges:
            one.feed(minute, table)
        minute += minutes

    for _ in range(DAYS):
        judge(1440)
    spent = []
    for _ in range(MINUTES):
        began = time.process_time()
        judge(1)
        spent.append(time.process_time() - began)
    print(
        f"{sum(len(group.series) for group in plan.groups)} series: {statistics.median(spent):.3f} s of CPU a settled minute in the "
        f"median, {max(spent):.2f} s at most (a day begins) of {MINUTES}"
    )


def year_of_one_series() -> None:
    """`vigie rehearse` over a year of minutes, reading and start-up included."""
    rng = np.random.default_rng(1)
    moment = datetime.datetime(YEAR, 1, 1, tzinfo=datetime.UTC)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "year.csv"
        with path.open("w") as file:
            file.write("timestamp,count\n")
            for number in range(365 * 1440):
                mean = 20 + 180 * np.exp(-(((number % 1440 - 800) / 240) ** 2)) * (
                    1.0 if number // 1440 % 7 < 5 else 0.4
                )
                file.write(f"{moment + datetime.timedelta(minutes=number):%Y-%m-%dT%H:%MZ},{rng.poisson(mean)}\n")
        command = [sys.executable, "-m", "streams", "rehearse", "--counts", str(path), "--json"]
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        print(f"a year of minutes of one series rehearsed: {time.monotonic() - began:.1f} s of wall time")


if __name__ == "__main__":
    main()
