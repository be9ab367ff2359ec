"""`vigie rehearse --from --to`: archived days, each region on its own clock."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.clock import paris_day
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.compose import HourReading
from streams.history.day_columns import CutName, CutRows, Rows, Sketches
from streams.history.marks import HourMark, HourSource

FIRST = date(2026, 9, 7)
DAYS = 28
SURGE = date(2026, 10, 2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four weeks of 60 visits a minute in regions 44 and 84; one morning 150 in 44, and one night that was not measured."""
    directory = tmp_path_factory.mktemp("archive")
    writer = Archive(directory)
    writer.prepare(simulated=False)
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        hours = [_reading(day, hour) for hour in range(24) if not (number == 20 and hour < 4)]
        writer.update(day, hours, Sketches.none())
    return directory


def _reading(day: date, hour: int, *, silent: bool = False) -> HourReading:
    first = paris_day(day)[0] + hour * 60
    mark = HourMark(first // 60, HourSource.LIVE, ((first, first + 60),), "t", {"0": (0, 1)}, read_ms=1)
    visits = {"44": 150 if day == SURGE and 9 <= hour < 11 else 60, "84": 60}
    if silent:
        visits.pop("44")
    rows: Rows = {CutName.REGION: CutRows.of(((r,), first + m, n, n, 0) for r, n in visits.items() for m in range(60))}
    empty = {cut: CutRows.of(()) for cut in CutName if cut not in rows}
    return HourReading(mark, {**rows, **empty})


def rehearse(archive: Path, *options: str) -> list[dict[str, object]]:
    command = ["rehearse", "--archive", str(archive), "--json", "--step", "15", *options]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("calendar", [(), ("--calendar", "none")])
def test_a_surge_of_one_region(archive: Path, calendar: tuple[str, ...]) -> None:
    (alert,) = rehearse(archive, "--from", str(FIRST), "--to", str(FIRST + timedelta(days=DAYS - 1)), *calendar)
    assert (alert["kind"], alert["region"], alert["service"]) == ("surge", "44", None)
    assert (alert["start"], alert["end"]) == ("2026-10-02T09:00+02:00", "2026-10-02T10:45+02:00")
    assert alert["observed"] == 150 * 120


def test_days_before_the_range_are_learned_from(archive: Path) -> None:
    """The first day asked for is judged as it was live: by the weeks before it, which are not told of themselves."""
    whole = rehearse(archive, "--from", str(FIRST), "--to", str(SURGE))
    assert rehearse(archive, "--from", str(SURGE), "--to", str(SURGE)) == whole
    assert rehearse(archive, "--from", str(SURGE + timedelta(days=1)), "--to", str(SURGE + timedelta(days=2))) == []


def test_an_alert_that_lasts_into_the_range_keeps_its_start(tmp_path: Path) -> None:
    """Nothing from 22:00 on, the next morning too: asked for the next day alone, it begins the evening before."""
    evening, morning = FIRST + timedelta(days=20), FIRST + timedelta(days=21)
    writer = Archive(tmp_path)
    writer.prepare(simulated=False)
    for number in range(22):
        day = FIRST + timedelta(days=number)
        silent = {evening: range(22, 24), morning: range(12)}.get(day, range(0))
        hours = [_reading(day, hour, silent=hour in silent) for hour in range(24)]
        writer.update(day, hours, Sketches.none())
    (alert,) = rehearse(tmp_path, "--from", str(morning), "--to", str(morning), "--calendar", "none")
    assert (alert["kind"], alert["start"], alert["end"]) == (
        "silence", f"{evening}T22:00+02:00", f"{morning}T11:45+02:00",
    )  # fmt: skip


def test_older_days_are_compared_with(tmp_path: Path) -> None:
    """The weeks just before the range were not archived: Fridays of the summer before tell what its Friday should look like."""
    writer = Archive(tmp_path)
    writer.prepare(simulated=False)
    fridays = [SURGE - timedelta(days=7 * weeks) for weeks in (9, 8, 7, 6, 5)]
    for day in [*fridays, SURGE]:
        writer.update(
            day, [_reading(day, hour, silent=day == SURGE and 9 <= hour < 11) for hour in range(24)], Sketches.none()
        )
    (alert,) = rehearse(tmp_path, "--from", str(SURGE), "--to", str(SURGE), "--calendar", "none")
    assert (alert["kind"], alert["region"]) == ("silence", "44")
    assert alert["expected"] == pytest.approx(60 * 120, rel=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say what to judge"),
        (("--from", "2026-09-07"), "say what to judge"),
        (("--from", "monday", "--to", "2026-09-08"), "'monday' is not a date"),
        (("--from", "2026-09-08", "--to", "2026-09-07"), "lies after"),
        (("--from", "2025-09-08", "--to", "2025-09-09"), "nothing was measured"),
    ],
)
def test_bad_questions_are_refused(archive: Path, options: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        rehearse(archive, *options)
