"""How long the ministry's weekly figures take to be read and kept, and in how much memory: `python -m bench.weekly --rows 4000000`.

Made up: 80 columns of visits and users by profile and service, 10,000 establishments a week.
"""

import argparse
import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from streams.catalog import load_catalog, make_uai
from streams.csv_file import open_csv
from streams.history.archive import Archive
from streams.history.weekly import read_weeks
from streams.history.weeks import save_weeks
from streams.settings import default_config_dir

SCHOOLS = 10_000
COLUMNS = 80


def write_file(path: Path, rows: int) -> int:
    """Write a file; return its bytes."""
    catalog = load_catalog(default_config_dir())
    columns = [*(one.column for one in catalog.profiles), *(one.column for one in catalog.services)]
    measured = [column for column in columns if column]
    names = [f"{what}_{name}" for name in ("globales", *measured) for what in ("visites", "utilisateurs")]
    names += [f"utilisateurs_autre_{number}" for number in range(COLUMNS - 5 - len(names))]
    places = [d for region in catalog.regions for academy in region.academies for d in academy.departements]
    uais = [make_uai(places[number % len(places)], number // len(places)) for number in range(SCHOOLS)]
    figures = [";".join(str((seed * 7919 + place * 31) % 5000) for place in range(len(names))) for seed in range(997)]
    with path.open("w", encoding="utf-8") as file:
        file.write("\ufeff" + ";".join(["debutsemaine", "uai", "academie", "region", "departement", *names]) + "\r\n")
        for number in range(rows):
            monday = date(2018, 9, 3) + timedelta(days=7 * (number // SCHOOLS))
            file.write(f"{monday};{uais[number % SCHOOLS]};NANCY METZ;Grand-Est;54;{figures[number % 997]}\r\n")
    return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        path, archive = Path(name) / "weeks.csv", Archive(Path(name) / "archive")
        size = write_file(path, rows)
        begun, cpu = time.monotonic(), time.process_time()
        with open_csv(path) as file:
            found = read_weeks(file, load_catalog(default_config_dir()))
        read, read_cpu = time.monotonic() - begun, time.process_time() - cpu
        archive.prepare(simulated=True)
        save_weeks(archive, found.weeks)
        seconds, used = time.monotonic() - begun, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{found.rows:,} rows of {COLUMNS} columns, {size / 1e6:,.0f} MB: read in {read:.0f} s ({read_cpu:.0f} s of CPU), "
        f"read and kept in {seconds:.0f} s ({used:.0f} s of CPU); {memory:,.0f} MiB at most"
    )


if __name__ == "__main__":
    main()
