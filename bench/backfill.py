"""Lines of an access log per CPU-second that `vigie backfill` counts: `python -m bench.backfill`.

A morning's log of one front end, 2,000 users, 200 lines a second. `--pages` is the part of its lines that are uses of a service; the others
are parts of pages, which are skipped. CPU seconds are those of all processes, from the first byte read to the last day written.
"""

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from importlib.abc import MetaPathFinder
from pathlib import Path

from streams.backfill.backfill_run import BackfillPlan, BackfillRun
from streams.catalog import load_catalog
from streams.count import CountingRules
from streams.events import EventBounds
from streams.publish.formats import FormatOptions, line_reader
from streams.publish.readers import Format

CONFIG = Path(__file__).resolve().parents[1] / "config"
BEGIN = datetime(2026, 9, 1, 5, tzinfo=UTC)
PAGES = (
    "/",
    "/messagerie",
    "/messagerie/inbox",
    "/cahier-de-textes",
    "/cahier-de-textes/2026/09",
    "/messagerie?page=2",
)
PARTS = ("/static/theme.css", "/static/app.js?v=3", "/img/logo.png", "/static/font.woff2")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)",
)


class WithoutPandas(MetaPathFinder):
    """Hides pandas, which only tests need: where it is installed, pyarrow imports it in each process, for half a CPU-second."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:  # noqa: ARG002 (named by the interface)
        """Refuse pandas, and know nothing else."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def write_log(path: Path, lines: int, pages: float, seed: int = 1) -> None:
    """Write a log of so many lines."""
    rng = random.Random(seed)
    with path.open("w") as file:
        for number in range(lines):
            at = BEGIN + timedelta(seconds=number // 200)
            target = rng.choice(PAGES if rng.random() < pages else PARTS)
            file.write(
                f"ent-0750711.exemple.fr:443 203.0.113.{number % 250} - user{rng.randrange(2000)} [{at:%d/%b/%Y:%H:%M:%S} +0000] "
                f'"GET {target} HTTP/1.1" 200 {number % 9999} "https://ent.exemple.fr/portail" "{rng.choice(AGENTS)}"\n'
            )


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--pages", type=float, nargs="*", default=[0.1, 0.3, 1.0])
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    sys.meta_path.insert(0, WithoutPandas())
    catalog = load_catalog(CONFIG)
    rules = CountingRules.of(catalog, EventBounds(), 20_000)
    make_reader = line_reader(FormatOptions(Format.COMBINED, "pcn"), CONFIG, lambda _project: b"x" * 32)
    for pages in asked.pages:
        with tempfile.TemporaryDirectory() as name:
            log = Path(name) / "access.log"
            write_log(log, asked.lines, pages)
            plan = BackfillPlan(
                (str(log),),
                Path(name) / "archive",
                "bench",
                make_reader,
                rules,
                int(time.time() * 1000),
                asked.processes,
            )
            before, begun = _cpu_seconds(), time.monotonic()
            result = BackfillRun(plan, lambda _parent: None, lambda *_: None).run()
            cpu, seconds = _cpu_seconds() - before, time.monotonic() - begun
        lines, events = sum(one.lines for one in result.inputs), sum(part.events for part in result.parts.values())
        print(
            f"{lines:,} lines, {pages:.0%} of them events ({events:,}): {cpu:.2f} CPU-seconds, {lines / cpu:,.0f} lines per CPU-second; "
            f"{seconds:.1f} s on the clock"
        )


if __name__ == "__main__":
    main()
