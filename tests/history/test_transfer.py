"""Counts out and in again; files opened as docs/ shows it."""

import errno
import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from streams.catalog import Catalog
from streams.errors import InputError
from streams.history.archive import Archive
from streams.history.day_columns import CutName, Sketches
from streams.history.marks import Choice, DayFile, HourSource
from streams.history.reading import History
from streams.history.sides import NoDataError
from streams.history.whole_files import ArchiveError
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs
from tests.history.days_made import DAY, FIRST_HOUR, file_of, reading, run

ROOT = Path(__file__).resolve().parents[2]


def test_counts_go_out_and_come_in_again(live: Archive, tmp_path: Path) -> None:
    text, said, _error = run("history", "export", "--archive", str(live.directory))
    assert "1,200 rows" in said
    assert text.splitlines()[1] == "2026-09-01T05:00:00Z,region,44,,,,,90,30,1,minute,live"
    file = tmp_path / "counts.csv"
    file.write_text(text)
    _out, said, _error = run("history", "import", str(file), "--archive", str(tmp_path / "copy"))
    assert "1,200 rows, 1 day from 2026-09-01 to 2026-09-01: 2 hours imported, 0 left" in said
    again, _said, _error = run("history", "export", "--archive", str(tmp_path / "copy"))
    assert again == text.replace(",live\n", ",import\n")
    with file_of(Archive(tmp_path / "copy"), DAY) as copy:
        assert {mark.source for mark in copy.head.hours} == {HourSource.IMPORT}
    # Imported once more it is replaced; into an archive that counted itself, it changes nothing.
    assert "2 hours imported" in run("history", "import", str(file), "--archive", str(tmp_path / "copy"))[1]
    file.write_text(
        text.replace(",90,30,1", ",9000,30,1")
        .replace(",45,22,0", ",4500,22,0")
        .replace(",180,60,0", ",18000,60,0")
        .replace(",90,30,0", ",9000,30,0")
    )
    assert "0 hours imported, 2 left" in run("history", "import", str(file), "--archive", str(live.directory))[1]
    assert run("history", "export", "--archive", str(live.directory))[0] == text


def test_coarser_steps_add_up(live: Archive) -> None:
    text, _said, _error = run("history", "export", "--archive", str(live.directory), "--cut", "region", "--step", "day")
    assert text.splitlines()[1:] == [
        f"2026-09-01T00:00:00+02:00,region,{region},,,,,{60 * (90 + 51)},{60 * (30 + 17)},{60 * 2},day,live"
        for region in ("44", "84")
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column cut, events, minute, visits"),
        (
            "minute,cut,region,events,visits\n2026-09-01T06:00:00,region,44,1,1\n",
            "line 2: minute '2026-09-01T06:00:00' has no offset",
        ),
        ("minute,cut,region,events,visits\n2026-09-01T06:00:07Z,region,44,1,1\n", "not the start of a minute"),
        ("minute,cut,region,events,visits\n2026-09-01T06:00:00Z,region,45,1,1\n", "region '45' is not in the lists"),
        ("minute,cut,region,events,visits\n2026-09-01T06:00:00Z,city,45,1,1\n", "'city' is not a valid CutName"),
        ("minute,cut,region,events,visits\n2026-09-01T06:00:00Z,region,44,-1,1\n", "negative or too large"),
        ("minute,cut,region,events,visits\n" + 2 * "2026-09-01T06:00:00Z,region,44,1,1\n", "line 3: the same minute"),
        ("minute,cut,region,events,visits\n", "holds no counts"),
        (
            "minute,cut,region,events,visits\n2026-09-01T06:00:00Z,region,44,1,2\n",
            "line 2: 2 visits or late events of 1 events",
        ),
        ("minute,cut,region,events,visits\n2026-09-01T06:00:00Z,region,44,1,1,5\n", "line 2: it has more cells"),
        (
            "minute,cut,region,events,visits\n2026-09-01T06:00:00Z,region,44,1,1\n2026-09-01T07:00:00Z,region,44,1,1\n",
            "every row is on the hour, as if it counted whole hours",
        ),
        (
            "minute,cut,region,events,visits,step\n2026-09-01T06:00:00Z,region,44,1,1,hour\n",
            "line 2: it counts a whole hour: export again with --step minute",
        ),
        (
            "minute,cut,project,events,visits\n2026-09-01T06:00:00Z,project,mbn,1,1\n",
            "line 2: the hour from 2026-09-01T06:00:00Z has no rows of cut region",
        ),
        (
            "minute,cut,region,project,events,visits\n2026-09-01T06:03:00Z,region,44,,5,2\n2026-09-01T06:03:00Z,project,,mbn,5,1\n",
            "line 3: at 2026-09-01T06:03:00Z all regions has 2 visits by region, 1 by project",
        ),
        (
            "minute,cut,region,profile,events,visits\n2026-09-01T06:03:00Z,region,44,,5,2\n"
            "2026-09-01T06:03:00Z,profile_region,84,ELEVE,5,2\n",
            "line 2: at 2026-09-01T06:03:00Z region 44 has 5 events by region, 0 by profile_region",
        ),
        (
            "minute,cut,region,events,visits,source\n2026-09-01T06:00:00Z,region,44,1,1,live\n"
            "2026-09-01T06:01:00Z,region,44,1,1,simulated\n",
            "holds simulated and real figures",
        ),
        ("debutsemaine,visites_eleve\n2025-09-01,3\n", "no column uai"),
        ("debutsemaine,uai\n2025-09-01,0541234Y\n", "no column visites_<x>"),
        ("debutsemaine,uai,visites_eleve\n2025-13-01,0541234Y,3\n", "line 2: month must be in 1..12"),
        (
            "debutsemaine,uai,visites_eleve\n2025-09-02,0541234Y,3\n",
            "line 2: debutsemaine 2025-09-02 is a Tuesday: weeks",
        ),
        ("debutsemaine,uai,visites_eleve\n2025-09-01,0541234Y,-3\n", "line 2: visites_eleve '-3' is no count"),
        ("debutsemaine,uai,visites_eleve\n2025-09-01,0541234Y,inf\n", "line 2: visites_eleve 'inf' is no count"),
        ("debutsemaine,uai,visites_eleve\n2025-09-01,,3\n", "line 2: no uai"),
        (
            "debutsemaine,uai,visites_eleve\n2025-09-01,0541234Y,3\n2025-09-08,0541234Y,3\n2025-09-01,0541234Y,4\n",
            "line 4: 0541234Y has this week on line 2 already: keep one of both. Mend that line; nothing was imported",
        ),
        ("debutsemaine,uai,visites_eleve,visites_eleve\n2025-09-01,0541234Y,3,3\n", "column visites_eleve twice"),
    ],
)
def test_bad_files_are_refused_whole(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    _out, _said, error = run("history", "import", str(file), "--archive", str(tmp_path / "archive"))
    assert isinstance(error, InputError)
    assert said in str(error)
    assert not (tmp_path / "archive").exists()


def test_nothing_to_export_is_said(live: Archive) -> None:
    for arguments in (["--from", "2020-01-01", "--to", "2020-01-02"],):
        _out, _said, error = run("history", "export", "--archive", str(live.directory), *arguments)
        assert isinstance(error, NoDataError)
        assert "the archive holds 1 day: 2026-09-01" in str(error)


def test_a_live_hour_is_not_replaced_by_an_import_nor_the_other_way_round(live: Archive) -> None:
    imported = reading(7, 500, source=HourSource.IMPORT)
    assert set(live.update(DAY, [imported], Sketches.none()).choices.values()) == {Choice.REFUSED}
    live.update(DAY, [reading(9, 5, source=HourSource.IMPORT)], Sketches.none())
    assert live.update(DAY, [reading(9, 9)], Sketches.none()).choices == {FIRST_HOUR + 9: Choice.REFUSED}


def test_a_cut_that_was_not_imported_is_unknown_not_zero(live: Archive, tmp_path: Path, catalog: Catalog) -> None:
    text, _said, _error = run("history", "export", "--archive", str(live.directory), "--cut", "region")
    file = tmp_path / "regions.csv"
    file.write_text(text)
    run("history", "import", str(file), "--archive", str(tmp_path / "copy"))
    history = History(Archive(tmp_path / "copy"), catalog)
    first = (FIRST_HOUR + 7) * 60
    assert history.panel("region", "events", first, first + 60).share.all()
    assert not history.panel("project", "events", first, first + 60).share.any()


def test_simulated_figures_stay_simulated(tmp_path: Path, catalog: Catalog) -> None:
    past = Archive(tmp_path / "past")
    past.prepare(simulated=True)
    made = PastMaker(load_inputs(default_config_dir(), seed=1, scale=0.001)).day(DAY)
    hours = made.hours[8:9]  # one hour has all there is to see
    rows = {cut: r.where(r.minute // 60 == hours[0].hour) for cut, r in made.rows.items()}
    past.write(DayFile(DAY, 0, hours, rows, made.sketches, made.catalog))
    text, _said, _error = run("history", "export", "--archive", str(past.directory))
    assert all(line.endswith(",simulated") for line in text.splitlines()[1:])
    file = tmp_path / "simulated.csv"
    file.write_text(text)
    run("history", "import", str(file), "--archive", str(tmp_path / "copy"))
    copy = Archive(tmp_path / "copy")
    assert copy.about().simulated  # type: ignore[union-attr]
    # Nothing of it gets into an archive of real figures.
    real = Archive(tmp_path / "real")
    real.prepare(simulated=False)
    _out, _said, error = run("history", "import", str(file), "--archive", str(real.directory))
    assert "holds real figures, these are simulated" in str(error)
    assert real.dates() == []
    # Nor is it forgotten with archive.json: by reports, and by who writes there next.
    for archive in (past, copy):
        (archive.directory / "archive.json").unlink()
        assert History(archive, catalog).day(DAY).is_simulated  # type: ignore[union-attr]
        with pytest.raises(ArchiveError, match="holds simulated figures, these are real"):
            archive.prepare(simulated=False)


def test_a_damaged_day_is_not_imported_onto(live: Archive, tmp_path: Path) -> None:
    text, _said, _error = run("history", "export", "--archive", str(live.directory))
    file = tmp_path / "counts.csv"
    file.write_text(text.replace("2026-09-01T", "2026-09-02T") + "".join(text.splitlines(keepends=True)[1:]))
    path = live.path(DAY)
    path.write_bytes(path.read_bytes()[:-50])
    before = path.read_bytes()
    _out, _said, error = run("history", "import", str(file), "--archive", str(live.directory))
    assert "2026-09-01.parquet is damaged" in str(error)
    assert "nothing was imported" in str(error)
    assert path.read_bytes() == before
    assert live.dates() == [DAY]


def test_a_file_of_another_day_is_said(live: Archive) -> None:
    live.path(DAY).rename(live.path(DAY + timedelta(days=1)))
    _out, _said, error = run("report", "day", "--day", "2026-09-02", "--archive", str(live.directory))
    assert "2026-09-02.parquet holds the day 2026-09-01: move it away" in str(error)


def test_an_import_that_finds_no_room_says_how_far_it_came(
    live: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, _said, _error = run("history", "export", "--archive", str(live.directory))
    rows = text.splitlines(keepends=True)
    file = tmp_path / "counts.csv"
    file.write_text("".join([*rows, *(row.replace("2026-09-01T", "2026-09-02T") for row in rows[1:])]))
    fsync, copy = os.fsync, tmp_path / "copy"

    def full(number: int) -> None:
        if list(copy.glob("2026/.2026-09-02*")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(number)

    monkeypatch.setattr(os, "fsync", full)
    _out, _said, error = run("history", "import", str(file), "--archive", str(copy))
    assert "no space is left: free some; 1 of 2 days are imported, then import the file again" in str(error)
    monkeypatch.undo()
    assert "4 hours imported" in run("history", "import", str(file), "--archive", str(copy))[1]


def test_files_open_as_the_docs_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    past = PastMaker(load_inputs(default_config_dir(), seed=1, scale=0.002))
    archive = Archive(tmp_path / "past")
    archive.prepare(simulated=True)
    day = past.day(DAY)
    archive.write(day)
    archive.write(past.day(DAY + timedelta(days=1)))
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "history.md").read_text(), re.DOTALL)
    assert len(examples) == 3
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, "docs/history.md", "exec"), names)
    region, project = day.rows[CutName.REGION], day.rows[CutName.PROJECT]
    assert sum(visits for _region, _hour, visits in names["hours"]) == int(region.visits.sum())  # type: ignore[attr-defined]
    busiest = names["busiest"].set_index("project")["events"].to_dict()  # type: ignore[attr-defined]
    assert busiest == {
        key[0]: int(project.events[project.series == number].max()) for number, key in enumerate(project.keys)
    }
    storage = dict(names["storage"].iter_rows())  # type: ignore[attr-defined]
    both = [archive.open(DAY + timedelta(days=n)) for n in (0, 1)]
    expected: dict[str, int] = {}
    for reader in both:
        assert reader is not None
        rows = reader.rows(CutName.REGION_SERVICE)
        for number, (code, service) in enumerate(rows.keys):
            if service == "STOCKAGE_PARTAGE":
                expected[code] = expected.get(code, 0) + int(rows.visits[rows.series == number].sum())
    assert storage == expected
    assert os.listdir(tmp_path) == ["past"]
