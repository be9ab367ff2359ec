"""Files of events, backfills of them, and what a plain recount says of the same events."""

import gzip
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import orjson

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from streams.audit.plain import PlainCount
from streams.backfill.backfill_run import BackfillPlan, BackfillResult, BackfillRun
from streams.catalog import Catalog, load_catalog
from streams.clock import paris_date
from streams.count import CountingRules
from streams.events import EventBounds, VisitEvent, decode
from streams.history.archive import Archive
from streams.history.day_columns import CutName, CutRows
from streams.publish.readers import NativeLines
from tests.history.days_made import file_of

CONFIG = Path(__file__).resolve().parents[2] / "config"
CATALOG: Catalog = load_catalog(CONFIG)
BOUNDS = EventBounds()
LATENESS_MS = 20_000
RULES = CountingRules.of(CATALOG, BOUNDS, LATENESS_MS)
NOW_MS = 1_790_000_000_000  # September 2026
Rows = dict[tuple[str, tuple[str, ...], int], tuple[int, int, int]]


def event(ident: str, ts: int, visitor: str, **members: str) -> bytes:
    """A line of a native file."""
    return orjson.dumps({"v": 1, "id": ident, "ts": ts, "visitor": visitor, **members})


def write(path: Path, lines: Iterable[bytes]) -> str:
    """Write lines as the name says: .gz, .zst, or plain."""
    content = b"".join(line + b"\n" for line in lines)
    if path.suffix == ".gz":
        content = gzip.compress(content)
    elif path.suffix == ".zst":
        content = zstd.compress(content)
    path.write_bytes(content)
    return str(path)


def plan_of(archive: Path, files: Sequence[str], **more: object) -> BackfillPlan:
    """A backfill of native files."""
    asked: dict[str, object] = {"key": "test", "make_reader": NativeLines, "now_ms": NOW_MS, "processes": 2} | more
    return BackfillPlan(files=tuple(files), archive=archive, rules=RULES, **asked)  # type: ignore[arg-type]


def backfill(archive: Path, files: Sequence[str], **more: object) -> BackfillResult:
    """Run it to its end."""
    return BackfillRun(plan_of(archive, files, **more), lambda _parent: None, lambda *_: None).run()


def archived(archive: Path, days: Iterable[date] | None = None) -> Rows:
    """(cut, key, minute) -> (events, visits, late) of every row."""
    found: Rows = {}
    opened = Archive(archive)
    for day in opened.dates() if days is None else days:
        with file_of(opened, day) as reader:
            for cut in CutName:
                found |= _rows(cut, reader.rows(cut))
    return found


def _rows(cut: CutName, rows: CutRows) -> Rows:
    columns = (rows.series, rows.minute, rows.events, rows.visits, rows.late)
    return {
        (cut.value, rows.keys[series], minute): (events, visits, late)
        for series, minute, events, visits, late in zip(*(column.tolist() for column in columns), strict=True)
    }


def accepted(lines: Iterable[bytes]) -> list[tuple[VisitEvent, bytes]]:
    """The events that keep the contract, with their lines."""
    found = ((decode(line), line) for line in lines)
    return [(one, line) for one, line in found if isinstance(one, VisitEvent) and one.ts >= 0]


def recounted(lines: Iterable[bytes], until: date | None = None) -> Rows:
    """What a plain recount says of the same lines in order of their time, each project in a log of its own."""
    plain = PlainCount(CATALOG, BOUNDS, LATENESS_MS, visits=True)
    numbers = {code: number for number, code in enumerate(CATALOG.project_codes)}
    for one, line in sorted(accepted(lines), key=lambda pair: (pair[0].ts, pair[1])):
        plain.add(numbers.get(one.project or "", -1), one.ts, line)
    found: dict[tuple[str, tuple[str, ...], int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for minute, rows in plain.minutes.items():
        if until is not None and paris_date(minute) >= until:
            continue
        for row, number in rows.items():
            for cut, key, column in _places(row):
                found[cut, key, minute][column] += number
    return {key: (events, visits, late) for key, (events, visits, late) in found.items()}


def _places(row: tuple[str, ...]) -> list[tuple[str, tuple[str, ...], int]]:
    name, codes = row[0], row[1:]
    match name:
        case "region,service":
            return [("region_service", codes, 0), ("region", codes[:1], 0)]
        case "service visits":
            return [("region_service", codes, 1)]
        case "visits":
            return [("region", codes, 1)]
        case "late":
            return [("region", codes, 2)]
        case "project" | "academy":
            return [(name, codes, 0)]
        case "profile,region":
            return [("profile_region", (codes[1], codes[0]), 0)]
        case "visits by profile,region":
            return [("profile_region", (codes[1], codes[0]), 1)]
        case "visits by project" | "visits by academy":
            return [(name.removeprefix("visits by "), codes, 1)]
    raise AssertionError(row)
