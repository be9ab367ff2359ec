"""`vigie rehearse`: what other programs rely on."""

import datetime
import json
import re
import subprocess
import sys
from functools import partial
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.errors import InputError
from streams.rehearse.counts_file import CountsGrid
from streams.rehearse.judge_rows import Rehearsal
from streams.rehearse.plot import drawing
from streams.watch import AlertScope
from tests.rehearse.series import MONDAY, changed, cycle, write, write_lines

MEMBERS = ["kind", "start", "end", "region", "service", "observed", "expected", "ratio"]


def rehearse(path: Path, *options: str) -> list[dict[str, Any]]:
    done = CliRunner().invoke(cli, ["rehearse", "--counts", str(path), "--json", *options], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def refused(path: Path, *options: str) -> str:
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(cli, ["rehearse", "--counts", str(path), "--json", *options], catch_exceptions=False)
    return str(caught.value)


def test_one_array_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", changed(cycle(), "2026-02-10 10:00", "2026-02-10 14:00", lambda n: 2 * n))
    command = [sys.executable, "-m", "streams", "rehearse", "--counts", str(path), "--calendar", "none", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    (alert,) = json.loads(done.stdout)
    assert list(alert) == MEMBERS
    assert done.stdout.count("\n") == 1
    assert (alert["kind"], alert["region"], alert["service"]) == ("surge", None, None)
    assert alert["start"] == "2026-02-10 10:00:00"
    assert alert["end"] == "2026-02-10 13:00:00"
    assert isinstance(alert["observed"], int)
    assert alert["ratio"] == pytest.approx(alert["observed"] / alert["expected"], abs=0.002)
    assert 1.8 < alert["ratio"] < 2.2


def test_nothing_to_say_is_an_empty_array(tmp_path: Path) -> None:
    assert rehearse(write(tmp_path / "c.csv", cycle())) == []
    assert rehearse(write(tmp_path / "d.csv", cycle()[:1])) == []


@pytest.mark.parametrize("step", [1, 2, 5, 7, 10, 15, 30, 45, 60])
def test_every_step(tmp_path: Path, step: int) -> None:
    rows = cycle(step, weeks=4, peak=10.0 * step)
    path = write(tmp_path / "c.csv", changed(rows, "2026-01-29 09:00", "2026-01-29 15:00", lambda n: 2.5 * n))
    found = rehearse(path)
    kinds = {alert["kind"] for alert in found if "2026-01-29 08" < alert["start"] < "2026-01-29 16"}
    assert kinds == {"surge"}, found
    assert len(found) <= 2, found


@pytest.mark.parametrize(
    ("kind", "change"),
    [("surge", lambda n: 1.7 * n), ("drop", lambda n: 0.4 * n), ("silence", lambda n: 0)],
)
def test_every_kind_ends(tmp_path: Path, kind: str, change: Any) -> None:
    path = write(tmp_path / "c.csv", changed(cycle(15), "2026-02-10 10:00", "2026-02-10 13:00", change))
    (alert,) = rehearse(path)
    assert (alert["kind"], alert["start"], alert["end"]) == (kind, "2026-02-10 10:00:00", "2026-02-10 12:45:00")


def test_what_flaps_within_an_hour_is_one_alert(tmp_path: Path) -> None:
    """Two surges with three ordinary quarters of an hour between them; with two ordinary hours they are two."""
    rows = changed(cycle(15), "2026-02-10 10:00", "2026-02-10 11:00", lambda n: 2 * n)
    (one,) = rehearse(write(tmp_path / "a.csv", changed(rows, "2026-02-10 11:45", "2026-02-10 12:45", lambda n: 2 * n)))
    assert (one["start"], one["end"]) == ("2026-02-10 10:00:00", "2026-02-10 12:30:00")
    assert 1.5 < one["ratio"] < 1.9  # of all its rows
    assert (
        len(rehearse(write(tmp_path / "b.csv", changed(rows, "2026-02-10 13:30", "2026-02-10 14:30", lambda n: 2 * n))))
        == 2
    )


def test_what_lasts_over_days_says_since_when_it_is_the_new_normal(tmp_path: Path) -> None:
    def told(days: int) -> str:
        end = f"2026-02-{3 + days:02} 09:00"
        path = write(tmp_path / "c.csv", changed(cycle(), "2026-02-03 09:00", end, lambda n: 2 * n))
        return CliRunner().invoke(cli, ["rehearse", "--counts", str(path)], catch_exceptions=False).stdout

    assert "learned as the new normal since 2026-02-06 09:00:00" in told(10)
    assert "new normal" not in told(2)


def test_what_still_runs_ends_with_the_last_row(tmp_path: Path) -> None:
    rows = changed(cycle(15), "2026-02-13 10:00", "2027-01-01 00:00", lambda n: 0)
    rows = [row for row in rows if row[0] < datetime.datetime.fromisoformat("2026-02-13T12")]
    (alert,) = rehearse(write(tmp_path / "c.csv", rows))
    assert (alert["kind"], alert["end"], alert["ratio"]) == ("silence", "2026-02-13 11:45:00", 0.0)


def test_what_a_silence_cuts_off_ends_with_the_last_row_that_was_measured(tmp_path: Path) -> None:
    rows = changed(cycle(15), "2026-02-10 10:00", "2026-02-10 11:00", lambda n: 3 * n)
    rows = changed(rows, "2026-02-10 11:00", "2026-02-10 13:00", lambda n: 0)
    rows = [row for row in rows if not "2026-02-10 11:00" <= str(row[0])[:16] < "2026-02-10 11:30"]
    surge, silence = rehearse(write(tmp_path / "c.csv", rows))
    assert (surge["kind"], surge["start"], surge["end"]) == ("surge", "2026-02-10 10:00:00", "2026-02-10 10:45:00")
    assert (silence["kind"], silence["end"]) == ("silence", "2026-02-10 12:45:00")
    assert silence["start"] >= "2026-02-10 11:30:00"


def test_absent_is_not_zero(tmp_path: Path) -> None:
    rows = [row for row in cycle(15) if not "2026-02-10 10" <= str(row[0]) < "2026-02-10 13"]
    assert rehearse(write(tmp_path / "c.csv", rows)) == []


def test_natural_zeros_are_no_silence(tmp_path: Path) -> None:
    rows = [(moment, count if 6 <= moment.hour < 20 else 0) for moment, count in cycle(15)]
    assert rehearse(write(tmp_path / "c.csv", rows)) == []


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+01:00"]
)
def test_times_come_back_as_they_were_written(tmp_path: Path, form: str) -> None:
    rows = changed(cycle(), "2026-02-10 10:00", "2026-02-10 14:00", lambda n: 2 * n)
    (alert,) = rehearse(write(tmp_path / "c.csv", rows, form))
    assert alert["start"] == datetime.datetime.fromisoformat("2026-02-10T10").strftime(form)
    assert alert["end"] == datetime.datetime.fromisoformat("2026-02-10T13").strftime(form)


def test_each_region_and_service_is_a_series(tmp_path: Path) -> None:
    lines = ["region,timestamp,service,count"]
    for region, service, factor in (("44", "NOTES", 1), ("44", "", 1), ("11", "NOTES", 3)):
        rows = changed(cycle(seed=factor), "2026-02-10 10:00", "2026-02-10 14:00", partial(mul, factor))
        lines += [f"{region},{moment},{service},{count}" for moment, count in rows]
    (alert,) = rehearse(write_lines(tmp_path / "c.csv", lines), "--budget", "0.1")
    assert (alert["region"], alert["service"]) == ("11", "NOTES")


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    rows = changed(cycle(), "2026-02-10 10:00", "2026-02-10 14:00", lambda n: 2 * n)
    forward = rehearse(write(tmp_path / "a.csv", rows))
    assert rehearse(write(tmp_path / "b.csv", rows[::-1])) == forward


@pytest.mark.parametrize("begin", ["2026-02-16", "2026-09-14"])
def test_clock_changes_raise_nothing(tmp_path: Path, begin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight weeks over a change, by local clock: at 02:00 an hour is missing or comes twice."""
    monkeypatch.setattr("streams.cli.progress.PLAIN_SECONDS", 3600.0)  # a slow machine would say how far it is
    first = datetime.datetime.fromisoformat(begin)
    wall = cycle(30, weeks=8, begin=first)
    if begin == "2026-02-16":
        rows = [row for row in wall if not "2026-03-29 02:00" <= str(row[0])[:16] < "2026-03-29 03:00"]
    else:
        at = next(i for i, row in enumerate(wall) if str(row[0])[:16] == "2026-10-25 03:00")
        rows = wall[:at] + wall[at - 2 : at] + wall[at:]
    done = CliRunner().invoke(
        cli, ["rehearse", "--counts", str(write(tmp_path / "c.csv", rows)), "--json", "--budget", "0.05"]
    )
    assert (done.exit_code, done.stdout, done.stderr) == (0, "[]\n", "")


def test_clocks_that_do_not_change_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", cycle(60, weeks=8, begin=datetime.datetime.fromisoformat("2026-02-16")))
    done = CliRunner().invoke(cli, ["rehearse", "--counts", str(path), "--json"])
    assert (done.exit_code, done.stdout) == (0, "[]\n")
    assert "give --timezone" in done.stderr
    assert rehearse(path, "--timezone", "UTC") == []


def test_sensitivity(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", changed(cycle(), "2026-02-10 10:00", "2026-02-10 13:00", lambda n: 1.35 * n))
    low, normal, high = (rehearse(path, "--sensitivity", name) for name in ("low", "normal", "high"))
    assert low == []
    assert [alert["kind"] for alert in normal] == ["surge"]
    assert normal[0] in high


def test_school_calendar(tmp_path: Path) -> None:
    """Winter holidays of zone B 2026 at an eighth: a drop by the week alone, nothing to say by the calendar once it saw such holidays."""
    rows = cycle(60, weeks=40, begin=datetime.datetime.fromisoformat("2025-09-08"))
    # All Saints, Christmas, winter; zone B, last days included.
    for first, last in (("2025-10-18", "2025-11-02"), ("2025-12-20", "2026-01-04"), ("2026-02-14", "2026-03-01")):
        rows = changed(rows, first, f"{last} 23:59", lambda n: 0.12 * n)
    path = write(tmp_path / "c.csv", rows)
    winter = ("2026-02-13", "2026-03-08")
    assert any(winter[0] < alert["start"] < winter[1] for alert in rehearse(path, "--calendar", "none"))
    assert [alert for alert in rehearse(path, "--calendar", "B") if winter[0] < alert["start"] < winter[1]] == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "expected a first line `timestamp,count`"),
        (["timestamp,count"], "has no rows"),
        (["time,count", "2026-01-05 00:00,1"], "expected a first line"),
        (["timestamp,count,place", "2026-01-05 00:00,1,x"], "'place' is not one of them"),
        (["timestamp,count", "yesterday,1"], "line 2: 'yesterday' is not a time stamp"),
        (["timestamp,count", "2026-01-05 00:00,-1"], "line 2: '-1' is not a count"),
        (["timestamp,count", "2026-01-05 00:00,nan"], "leave the row out"),
        (["timestamp,count", "2026-01-05 00:00,"], "leave the row out"),
        (["timestamp,count", "2026-01-05 00:00,1,2"], "line 2: it has more cells"),
        (["timestamp,count", "2026-01-05 00:00,1", "2026-01-05 00:00,2"], "line 3: 2026-01-05 00:00 lies in a row"),
        (["timestamp,count", "2026-01-05 00:00,1", "2026-01-05 00:01+01:00,2"], "line 3: time stamps with an offset and"),
        (["timestamp,count", "2026-01-05 00:00,1", "2026-01-06 00:00,2"], "rows are 1440 min apart"),
        (["timestamp,count", "2006-01-05 00:00,1", "2006-01-05 00:01,1", "2026-01-06 00:00,2", "2026-01-06 00:01,2"], "wrong?"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_with_one_clear_error(tmp_path: Path, lines: list[str], said: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text("\n".join(lines))
    assert said in refused(path)


def test_days_of_another_clock_are_said(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.csv", ["timestamp,count", "2026-01-05T00:00Z,1", "2026-01-05T01:00Z,2"])
    for zone, said in (("Europe/Paris", True), ("UTC", False)):
        done = CliRunner().invoke(cli, ["rehearse", "--counts", str(path), "--json", "--timezone", zone])
        assert done.exit_code == 0
        assert ("another offset than Europe/Paris" in done.stderr) is said


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.csv", [(MONDAY, 1), (MONDAY + datetime.timedelta(hours=1), 2)])
    assert "cannot read" in refused(tmp_path / "absent.csv")
    assert "no time zone" in refused(path, "--timezone", "Europe/Atlantis")
    assert "cannot write --plot" in refused(path, "--plot", str(tmp_path / "no" / "p.html"))
    (tmp_path / "b.csv").write_bytes(b"timestamp,count\n\xff\xfe\x00")
    assert "UTF-8" in refused(tmp_path / "b.csv")
    for options in (("--calendar", "D"), ("--sensitivity", "9"), ("--budget", "nan")):
        done = CliRunner().invoke(cli, ["rehearse", "--counts", str(path), *options])
        assert done.exit_code == 2


def test_drawing(tmp_path: Path) -> None:
    path = write(tmp_path / "<c>.csv", changed(cycle(), "2026-02-10 10:00", "2026-02-10 14:00", lambda n: 2 * n))
    page = tmp_path / "p.html"
    done = CliRunner().invoke(cli, ["rehearse", "--counts", str(path), "--plot", str(page)], catch_exceptions=False)
    assert "surge    2026-02-10 10:00:00  2026-02-10 13:00:00" in done.stdout
    assert "1 alerts (1 surges, 0 drops, 0 silences)" in done.stdout
    text = page.read_text()
    assert "Hausse 2026-02-10 10:00:00 – 2026-02-10 13:00:00" in text
    assert "&lt;c&gt;.csv" in text
    assert "<c>" not in text
    assert text.count("<svg") == 2
    assert re.findall(r">(\d\d/\d\d/\d{4} \d\d:\d\d)</text>", text)[0] == "05/01/2026 00:00"
    assert "NaN" not in text.replace("nan", "NaN")


def test_a_stretch_of_which_nothing_is_known_is_drawn_empty() -> None:
    unknown = np.full((1, 3), np.nan)
    counts = CountsGrid((AlertScope(),), 1, 0, unknown, ("",) * 3, np.zeros(3, np.int64), np.zeros(3, np.int64))
    found = drawing(counts, Rehearsal((), unknown, unknown, unknown), 0, 0, 3)
    assert [text for _height, text in found.levels] == ["0,0", "0,5", "1,0"]
    assert [strokes for _colour, strokes in found.lines] == [[], []]
