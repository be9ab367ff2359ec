"""Days made by hand, and commands run over them, for tests of this room."""

from collections.abc import Iterable
from datetime import date, datetime

from click.testing import CliRunner

from streams.cli import cli
from streams.clock import PARIS, paris_day
from streams.errors import VigieError
from streams.history.archive import Archive
from streams.history.arrow import FileReader
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Rows, Sketches
from streams.history.marks import HourMark, HourSource

DAY = date(2026, 9, 1)
FIRST_HOUR = paris_day(DAY)[0] // 60


def rows(minutes: dict[int, int]) -> Rows:
    """Every cut: so many events in these minutes in two regions, a visit for every third."""
    items = [(minute, events) for minute, events in minutes.items()]
    return {
        CutName.REGION: CutRows.of(((r,), m, n, n // 3, n // 50) for m, n in items for r in ("44", "84")),
        CutName.REGION_SERVICE: CutRows.of(
            ((r, s), m, n // 2 + (n % 2) * (s == "NOTES"), n // 4, 0)
            for m, n in items
            for r in ("44", "84")
            for s in ("ABSENCES", "NOTES")
        ),
        CutName.PROJECT: CutRows.of((("mbn",), m, 2 * n, 2 * (n // 3), 0) for m, n in items),
        CutName.PROFILE_REGION: CutRows.of(((r, "ELEVE"), m, n, n // 3, 0) for m, n in items for r in ("44", "84")),
        CutName.ACADEMY: CutRows.of((("12",), m, 2 * n, 2 * (n // 3), 0) for m, n in items),
    }


def reading(
    hour: int,
    events: int = 90,
    *,
    offsets: dict[str, tuple[int, int]] | None = None,
    topic_id: str = "t",
    measured: int = 60,
    source: HourSource = HourSource.LIVE,
) -> HourReading:
    """An hour of the day (0 is midnight in Paris) with so many events a minute and region."""
    first = (FIRST_HOUR + hour) * 60
    mark = HourMark(
        FIRST_HOUR + hour, source, ((first, first + measured),), topic_id, offsets or {"0": (0, 1000)}, read_ms=1
    )
    return HourReading(mark, rows({first + minute: events for minute in range(measured)}))


def archived(archive: Archive, day: date, visits: int, hours: Iterable[int] = range(24)) -> None:
    """Put a day into an archive: so many visits a minute in each of two regions, in these hours of Paris."""
    first, end = paris_day(day)
    made = []
    for begin in range(first, end, 60):
        if datetime.fromtimestamp(begin * 60, PARIS).hour in hours:
            mark = HourMark(begin // 60, HourSource.LIVE, ((begin, begin + 60),), "t", {"0": (0, 1)}, read_ms=1)
            made.append(HourReading(mark, rows(dict.fromkeys(range(begin, begin + 60), 3 * visits))))
    archive.update(day, made, Sketches.none())


def file_of(archive: Archive, day: date) -> FileReader:
    """The file of a day, which is there."""
    found = archive.open(day)
    assert found is not None, f"no file of {day}"
    return found


def run(*arguments: str, text: str | None = None) -> tuple[str, str, BaseException | None]:
    """Run `vigie`: (stdout, stderr, what it ended with); what is no clear error is raised."""
    done = CliRunner().invoke(cli, arguments, input=text)
    if done.exception is not None and not isinstance(done.exception, VigieError | SystemExit):
        raise done.exception
    return done.stdout, done.stderr, done.exception
