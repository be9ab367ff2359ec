"""Months of access logs of one front end, made up: `python -m bench.logs --days 90 --out DIR`, then `vigie trial` or `vigie backfill`.

One file a day, rotated and compressed as servers do. Days, weeks, holidays and the hours of a day are those of the simulated past
(`vigie simulate --years`) in Île-de-France; users, pages and the parts of pages are drawn around it. On one day the servers are away for
half an hour, on another a video brings three times as many as usual. Seeded: the same days are the same files.
"""

import argparse
import gzip
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.cli.progress import Meter
from streams.clock import PARIS, dates, paris_day
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs

Rates = NDArray[np.float64]
REGION = "11"
#: Pages of `config/combined.yaml` on this host, with their part of all uses.
HOST = "ent-0750711.exemple.fr:443"
PAGES = {"/": 0.42, "/messagerie/inbox": 0.27, "/cahier-de-textes/semaine": 0.31}
PARTS = ("/static/theme.css", "/static/app.js?v=3", "/img/logo.png")
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"


def make_logs(directory: Path, first: date, last: date, visits_a_day: int, seed: int = 1) -> list[Path]:
    """Write the days' logs; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    maker = PastMaker(load_inputs(default_config_dir(), seed, None))
    region = next(each for each in maker.levels.regions if each.code == REGION)
    days = list(dates(first, last))
    usual = [maker.expected(region, day, *paris_day(day)).visits for day in days]
    scale = visits_a_day / np.mean([visits.sum() for visits in usual])
    sums = np.array([visits.sum() for visits in usual])
    ordinary = np.flatnonzero(
        sums > 0.6 * np.quantile(sums, 0.75)
    ).tolist()  # days of school; the rentrée alone is far above them
    away, crowded = (ordinary[-9], ordinary[-4]) if len(ordinary) > 20 else (-1, -1)
    rates = [visits * scale for visits in usual]
    if crowded >= 0:
        rates[crowded][17 * 60 : 18 * 60] *= 3.0
    files = []
    with ProcessPoolExecutor() as pool, Meter("logs", len(days)) as meter:
        made = [
            pool.submit(_write_day, directory, day, rate, visits_a_day, seed, number == away)
            for number, (day, rate) in enumerate(zip(days, rates, strict=True))
        ]
        for day, future in zip(days, made, strict=True):
            files.append(future.result())
            meter.show(len(files), f"{day}")
    return files


def _write_day(directory: Path, day: date, rate: Rates, visits_a_day: int, seed: int, is_away: bool) -> Path:
    rng = np.random.default_rng([seed, day.toordinal()])
    first = paris_day(day)[0]
    lines = _lines(rng, first, rng.poisson(rate), visits_a_day)
    if is_away:
        gone = range(first + 10 * 60 + 12, first + 10 * 60 + 41)
        lines = [line for line in lines if int(line[0] // 60) not in gone]
    path = directory / f"access.log-{day:%Y%m%d}.gz"
    path.write_bytes(gzip.compress("".join(text for _at, text in lines).encode(), 6))
    return path


def _lines(
    rng: np.random.Generator, first: int, visits: np.ndarray[tuple[int], np.dtype[np.int64]], users: int
) -> list[tuple[float, str]]:
    made: list[tuple[float, str]] = []
    pages = list(PAGES)
    edges = np.cumsum(list(PAGES.values()))
    edges /= edges[-1]
    for minute in np.repeat(np.arange(len(visits)), visits).tolist():
        user, at = int(rng.integers(users)), (first + minute) * 60 + float(rng.random() * 60)
        for page in np.searchsorted(edges, rng.random(1 + rng.geometric(0.45)), side="right").tolist():
            made.append((at, _line(at, user, pages[page])))
            made += [
                (at + 1, _line(at + 1, user, PARTS[part]))
                for part in rng.integers(len(PARTS), size=rng.integers(4)).tolist()
            ]
            at += float(rng.exponential(90))
    return sorted(made)


def _line(at: float, user: int, target: str) -> str:
    minute, second = divmod(int(at), 60)
    told, offset = _told(minute)
    return (
        f'{HOST} 203.0.113.{user % 250} - u{user} [{told}:{second:02} {offset}] "GET {target} HTTP/1.1" 200 {1000 + user % 9000} '
        f'"https://ent-0750711.exemple.fr/" "{AGENT}"\n'
    )


@lru_cache(4096)
def _told(minute: int) -> tuple[str, str]:
    at = datetime.fromtimestamp(minute * 60, UTC).astimezone(PARIS)
    return f"{at:%d/%b/%Y:%H:%M}", f"{at:%z}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--until", type=date.fromisoformat, default=date(2026, 10, 16))
    parser.add_argument("--visits", type=int, default=4000, help="a day in the mean")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    files = make_logs(asked.out, asked.until - timedelta(days=asked.days - 1), asked.until, asked.visits)
    print(f"{len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {asked.out}")


if __name__ == "__main__":
    main()
