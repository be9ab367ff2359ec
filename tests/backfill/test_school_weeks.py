"""A week by establishment adds up to what a plain recount says of the week; it comes in again as the ministry's file does."""

import csv
import io
import os
import random
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.clock import paris_day
from tests.backfill.logs import archived, backfill, event, recounted, write

MONDAY = date(2026, 5, 11)
UAIS = ("0541234Y", "0750711R", "9740001H", "nonsense")


def _made(seed: int = 5) -> list[bytes]:
    """Events from the Sunday before to the Monday after; each visitor is of one establishment and profile."""
    rng = random.Random(seed)
    first = paris_day(MONDAY)[0] * 60_000
    made = []
    for number in range(4000):
        who = rng.randrange(60)
        of = {
            "uai": UAIS[who % 4],
            "profile": ("ELEVE", "PARENT", "ENSEIGNANT")[who % 3],
            "project": ("mbn", "pcn")[who % 2],
        }
        ts = first + rng.randrange(-24 * 3600, 8 * 24 * 3600) * 1000
        made.append(event(f"{number}", ts, f"v{who}", service=rng.choice(["NOTES", "CAHIER_TEXTES"]), **of))
        if rng.random() < 0.05:
            made.append(made[-1])
    return made


def _run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["report", "dnma", "--format", "native", "--processes", "2", *words])


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";"))


def test_a_week_adds_up_to_a_plain_recount(tmp_path: Path) -> None:
    made = _made()
    result = _run("--week", "2026-W20", write(tmp_path / "log.gz", made))
    assert result.exit_code == 0, result.exception
    rows = _read(result.stdout)
    assert [row["uai"] for row in rows] == sorted(UAIS[:3])
    assert {row["debutsemaine"] for row in rows} == {"2026-05-11"}
    first, end = paris_day(MONDAY)[0], paris_day(date(2026, 5, 17))[1]
    wanted: Counter[tuple[str, str]] = Counter()
    for (cut, key, minute), (_events, visits, _late) in recounted(made).items():
        if first <= minute < end and key[0] != "INCONNU":
            if cut == "profile_region" or cut == "region_service":
                wanted["visites", key[1]] += visits
            elif cut == "region":
                wanted["visites", "globales"] += visits
    columns = {
        "ELEVE": "eleve",
        "PARENT": "parent",
        "ENSEIGNANT": "enseignant",
        "NOTES": "notes",
        "CAHIER_TEXTES": "cahier_textes",
    }
    for (_what, code), visits in wanted.items():
        name = f"visites_{columns.get(code, code)}"
        assert sum(int(row[name]) for row in rows) == visits, name
    # Every visitor of the three establishments came in the week: 15 of each.
    assert {row["uai"]: int(row["utilisateurs_globales"]) for row in rows} == dict.fromkeys(sorted(UAIS[:3]), 15)
    assert "visits are of no establishment that has a number" in result.stderr


def test_it_comes_in_again_and_tells_where_it_differs(tmp_path: Path) -> None:
    log, out = write(tmp_path / "log", _made()), tmp_path / "week.csv"
    assert _run("--week", "2026-W20", "--out", str(out), log).exit_code == 0
    again = _run("--week", "2026-W20", "--against", str(out), log)
    assert "0 establishments differ, by +0 visits in all" in again.stdout
    text = out.read_text(encoding="utf-8-sig")
    rows = _read(text)
    less = rows[0] | {"uai": rows[0]["uai"], "visites_eleve": str(int(rows[0]["visites_eleve"]) + 70)}
    other = rows[1] | {"uai": "0690001B"}
    theirs = tmp_path / "theirs.csv"
    with theirs.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=",")
        writer.writeheader()
        writer.writerows([less, other, rows[2]])
    told = _run("--week", "2026-W20", "--against", str(theirs), log).stdout.splitlines()
    of = {line.split()[0]: line for line in told}
    assert f"{rows[0]['uai']}  -70: " in of[rows[0]["uai"]]
    assert "most in ELEVE" in of[rows[0]["uai"]]
    assert "no line of the logs is of this establishment" in of["0690001B"]
    assert "not in the file" in of[rows[1]["uai"]]
    sizes = [abs(int(line.split()[1].rstrip(":").replace(",", ""))) for line in told[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    imported = CliRunner().invoke(cli, ["history", "import", str(out), "--archive", str(tmp_path / "archive")])
    assert imported.exit_code == 0, imported.exception


def test_what_is_no_week_is_refused(tmp_path: Path) -> None:
    log = write(tmp_path / "log", _made()[:50])
    for week in ("2026-36", "9999-W52", "0001-W01"):
        assert "is no week" in str(_run("--week", week, log).exception)
    (tmp_path / "other.csv").write_text("debutsemaine;uai;visites_eleve\n2026-05-04;0541234Y;5\n")
    found = _run("--week", "2026-W20", "--against", str(tmp_path / "other.csv"), log)
    assert "has no line of the week of 2026-05-11" in str(found.exception)


def test_what_is_read_is_never_written_over(tmp_path: Path) -> None:
    log = Path(write(tmp_path / "log", _made()[:50]))
    before = log.read_bytes()
    (tmp_path / "link").symlink_to(log)
    trial = ["trial", "--format", "native", "--html", str(tmp_path / "link"), str(log)]
    rehearse = ["rehearse", "--counts", str(log), "--plot", f"{tmp_path}/./log"]
    for done in (
        _run("--week", "2026-W20", "--out", str(tmp_path / "link"), str(log)),
        CliRunner().invoke(cli, trial),
        CliRunner().invoke(cli, rehearse),
    ):
        assert "is a file that is read" in str(done.exception)
    assert log.read_bytes() == before


def test_an_empty_name_is_not_this_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = write(tmp_path / "log", _made()[:50])
    done = CliRunner().invoke(cli, ["backfill", "--format", "native", "--archive", "", log])
    assert (done.exit_code, "it is empty: name one" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_name_that_is_no_text_is_told_and_kept(tmp_path: Path) -> None:
    made = _made()[:50]
    result = backfill(tmp_path / "archive", [write(tmp_path / os.fsdecode(b"jour\xe9.log"), made)])
    assert [one.name for one in result.inputs] == [f"{tmp_path}/jour\\xe9.log"]
    assert archived(tmp_path / "archive") == recounted(made)
