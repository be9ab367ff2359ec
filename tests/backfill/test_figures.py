"""Figures of a backfill equal a plain recount of the same lines, row by row, however the lines lie in files."""

import random
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.backfill.backfill_run import BackfillRun
from streams.catalog import UNKNOWN
from streams.clock import paris_date
from streams.errors import InputError
from streams.history import hll
from streams.history.archive import Archive
from streams.history.compose import HourReading
from streams.history.day_columns import KEY_COLUMNS, CutName, CutRows, Sketches
from streams.history.marks import HourMark, HourSource
from streams.stable_hash import as_texts, hashes_of, hashes_of_pairs
from tests.backfill.logs import CATALOG, accepted, archived, backfill, event, plan_of, recounted, write
from tests.history.days_made import file_of

PARIS = ZoneInfo("Europe/Paris")
#: Around an ordinary midnight, and the two changes of the clock.
MIDNIGHTS = [date(2026, 5, 12), date(2026, 3, 29), date(2025, 10, 26)]
UAIS = ("0541234Y", "0750711R", "9740001H", "9740054R", "nonsense", None)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=PARIS).timestamp()) * 1000


@st.composite
def lines(draw: st.DrawFn) -> list[bytes]:
    """Events of a few visitors within three hours of a midnight, some of them repeats, some broken."""
    middle = _midnight(draw(st.sampled_from(MIDNIGHTS)))
    seed, number = draw(st.integers(0, 10**6)), draw(st.integers(1, 120))
    rng = random.Random(seed)
    made: list[bytes] = []
    for n in range(number):
        if made and rng.random() < 0.1:
            made.append(rng.choice(made))  # the same line again: a repeat within its minute
            continue
        if rng.random() < 0.05:
            made.append(rng.choice([b"not json", b"[]", b'{"v":1}', b'{"v":2,"id":"a","ts":1,"visitor":"x"}']))
            continue
        members = {
            "project": rng.choice(["mbn", "pcn", "nobody", None]),
            "uai": rng.choice(UAIS),
            "service": rng.choice(["NOTES", "CAHIER_TEXTES", "OTHER", None]),
            "profile": rng.choice(["ELEVE", "PARENT", None]),
        }
        ts = middle + rng.randrange(-3 * 3600, 3 * 3600) * 1000 + rng.choice([0, 0, 0, 7])
        ident = f"{n}" if rng.random() < 0.9 else f"{rng.randrange(n + 1)}"
        made.append(event(ident, ts, f"visitor-{rng.randrange(6)}", **{k: v for k, v in members.items() if v}))
    return made


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines(), st.randoms(use_true_random=False), st.integers(1, 4), st.booleans())
def test_however_lines_lie_in_files(
    tmp_path_factory: pytest.TempPathFactory, made: list[bytes], rng: random.Random, files: int, overlap: bool
) -> None:
    directory = tmp_path_factory.mktemp("logs")
    shuffled = rng.sample(made, len(made))
    names = []
    for number in range(files):
        some = shuffled[number::files] + (shuffled[:3] if overlap else [])
        names.append(write(directory / f"log{number}{rng.choice(['', '.gz', '.zst'])}", some))
    given_lines = [
        line for number in range(files) for line in [*shuffled[number::files], *(shuffled[:3] if overlap else [])]
    ]
    result = backfill(directory / "archive", names)
    assert archived(directory / "archive") == recounted(given_lines)
    assert sum(one.lines for one in result.inputs) == len(given_lines)
    broken = len(given_lines) - len(accepted(given_lines))
    assert sum(one.unreadable for one in result.inputs) == broken


def test_users_and_establishments(tmp_path: Path) -> None:
    rng = random.Random(3)
    middle = _midnight(date(2026, 5, 12))
    made = [
        event(
            f"{n}",
            middle + rng.randrange(-4 * 3600, 4 * 3600) * 1000,
            f"v{rng.randrange(300)}",
            uai=rng.choice(UAIS[:4]),
            project="mbn",
        )
        for n in range(3000)
    ]
    backfill(tmp_path / "archive", [write(tmp_path / "log", made)])
    for day in (date(2026, 5, 11), date(2026, 5, 12)):
        with file_of(Archive(tmp_path / "archive"), day) as reader:
            sketches = reader.sketches()
        users: dict[tuple[str, str], set[str]] = {}
        schools: dict[tuple[str, str], set[str]] = {}
        zones = {region.code: ZoneInfo(region.timezone) for region in CATALOG.regions} | {UNKNOWN: PARIS}
        for one, _line in accepted(made):
            region = CATALOG.uai_index[one.uai][0]
            (member,) = as_texts(hashes_of_pairs(hashes_of([one.project or ""]), [one.visitor])).tolist()
            if datetime.fromtimestamp(one.ts / 1000, zones[region]).date() == day:
                users.setdefault(("region", region), set()).add(member)
            if paris_date(one.ts // 60_000) == day:
                if zones[region] != PARIS:
                    users.setdefault(("paris", region), set()).add(member)
                for scope in (("region", region), ("project", "mbn")):
                    schools.setdefault(scope, set()).add(one.uai or "")
        for wanted, held in ((users, sketches.users), (schools, sketches.establishments)):
            assert held.keys() == wanted.keys()
            for key, members in wanted.items():
                registers = hll.no_registers()
                hll.add(registers, sorted(members))
                assert held[key] == hll.sketch_of(registers), (day, key)


def test_two_projects_and_twice(tmp_path: Path) -> None:
    middle = _midnight(date(2026, 5, 12))
    of = {
        project: [
            event(f"{project}{n}", middle + n * 250_000, f"v{n % 7}", project=project, uai="0541234Y")
            for n in range(-200, 200)
        ]
        for project in ("mbn", "pcn")
    }
    archive = tmp_path / "archive"
    names = {project: write(tmp_path / f"{project}.log", made) for project, made in of.items()}
    stamps = [Archive(archive).backfill_stamp()]
    backfill(archive, [names["mbn"]])
    assert archived(archive) == recounted(of["mbn"])
    stamps.append(Archive(archive).backfill_stamp())
    backfill(archive, [names["pcn"]])
    stamps.append(Archive(archive).backfill_stamp())
    assert len(set(stamps)) == 3, "a running observer sees that days it has read were added to"
    both = recounted([*of["mbn"], *of["pcn"]])
    assert archived(archive) == both
    before = {path: path.stat().st_mtime_ns for path in archive.rglob("*.parquet")}
    backfill(archive, [names["mbn"], names["pcn"]])
    again = write(tmp_path / "the same.gz", of["pcn"][::-1])
    backfill(archive, [again])
    assert {path: path.stat().st_mtime_ns for path in archive.rglob("*.parquet")} == before
    assert Archive(archive).backfill_stamp() == stamps[-1]
    assert archived(archive) == both


def test_more_files_of_a_day_and_others(tmp_path: Path) -> None:
    middle = _midnight(date(2026, 5, 12)) + 12 * 3_600_000
    one, two, three = (
        [event(f"{name}{n}", middle + n * 60_000, f"v{n % 9}", project="mbn") for n in range(100)] for name in "abc"
    )
    archive = tmp_path / "archive"
    names = [write(tmp_path / name, made) for name, made in (("one", one), ("two", two), ("three", three))]
    backfill(archive, names[:1])
    backfill(archive, names[:2])  # more files: counted together
    assert archived(archive) == recounted([*one, *two])
    backfill(archive, names[1:2])  # some of them: they are there
    assert archived(archive) == recounted([*one, *two])
    refused = backfill(archive, names[1:])  # the first one is missing: its events would be lost
    assert [part.choice for part in refused.parts.values()] == ["other_files"]
    assert archived(archive) == recounted([*one, *two])
    backfill(archive, names[1:], again=True)
    assert archived(archive) == recounted([*two, *three])


def test_days_that_are_not_over_and_what_lies_ahead(tmp_path: Path) -> None:
    middle = _midnight(date(2026, 5, 12))
    made = [event(f"{n}", middle + n * 600_000, "v", project="mbn") for n in range(-10, 10)]
    result = backfill(tmp_path / "archive", [write(tmp_path / "log", made)], now_ms=middle + 3_600_000)
    assert archived(tmp_path / "archive") == recounted(made, until=date(2026, 5, 12))
    assert result.unfinished_events == 7
    assert result.inputs[0].rejected == {"too_far_ahead": 3}
    assert [number for number, _why in result.inputs[0].unreadable_first] == [18, 19, 20]


def test_a_file_that_breaks_off_stops_all_before_anything_is_written(tmp_path: Path) -> None:
    middle = _midnight(date(2026, 5, 12))
    made = [event(f"{n}", middle + n * 1000, f"v{n}", project="mbn") for n in range(3000)]
    whole = Path(write(tmp_path / "whole.gz", made))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(whole.read_bytes()[:-2000])
    result = backfill(tmp_path / "archive", [str(whole), str(cut)])
    assert [one.name for one in result.broken_off] == [str(cut)]
    assert not result.parts
    assert archived(tmp_path / "archive") == {}
    cut.write_bytes(whole.read_bytes())  # the whole of it, under the same name
    backfill(tmp_path / "archive", [str(whole), str(cut)])
    assert archived(tmp_path / "archive") == recounted([*made, *made])


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """Ctrl-C at every step that is looked at: the same command then ends at the same figures, and leaves nothing behind."""
    middle = _midnight(date(2026, 5, 12))
    made = [event(f"{n}", middle + n * 700_000, f"v{n % 5}", project="mbn") for n in range(-300, 300)]
    names = [write(tmp_path / f"log{number}", made[number::3]) for number in range(3)]
    archive = tmp_path / "archive"
    for number in range(6):
        looks = iter(range(number))

        def said(*_: object, looks: object = looks) -> None:
            if next(looks, None) is None:  # type: ignore[call-overload]
                raise KeyboardInterrupt

        try:
            BackfillRun(plan_of(archive, names), lambda _parent: None, said).run()
        except KeyboardInterrupt:
            continue
    backfill(archive, names)
    assert archived(archive) == recounted(made)
    assert not list((archive / "backfill" / ".spool").iterdir())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        backfill(tmp_path / "archive", [str(tmp_path / "absent.log")])
    with pytest.raises(InputError, match="is no file"):
        backfill(tmp_path / "archive", [str(tmp_path)])
    assert not (tmp_path / "archive").exists()


def test_hours_that_vigie_counted_itself_stay_and_come_back(tmp_path: Path) -> None:
    """Live hours are kept by a backfill and said; a live reading of an hour takes the place of the logs', unless it saw less of it."""
    archive, middle = tmp_path / "archive", _midnight(date(2026, 5, 12))
    made = [event(f"{n}", middle + n * 60_000, f"v{n % 9}", project="mbn", uai="0541234Y") for n in range(6 * 60)]
    first_hour = middle // 3_600_000

    def live(hour: int, events: int) -> HourReading:
        minute = hour * 60
        codes = {cut: ("44", "NOTES")[: len(columns)] for cut, columns in KEY_COLUMNS.items()}
        rows = {cut: CutRows.of([(codes[cut], minute, events, events, 0)]) for cut in CutName}
        return HourReading(HourMark(hour, HourSource.LIVE, ((minute, minute + 60),), "topic", {"0": (0, 9)}), rows)

    opened = Archive(archive)
    opened.prepare(simulated=False)
    opened.update(date(2026, 5, 12), [live(first_hour + 1, 1)], Sketches.none())
    result = backfill(archive, [write(tmp_path / "log", made)])
    assert [(day.day, day.hours_kept) for day in result.days] == [(date(2026, 5, 12), 1)]
    wanted = {key: row for key, row in recounted(made).items() if key[2] // 60 != first_hour + 1}
    found = archived(archive)
    assert {key: row for key, row in found.items() if key[2] // 60 != first_hour + 1} == wanted
    assert sum(row[0] for key, row in found.items() if key[0] == "region" and key[2] // 60 == first_hour + 1) == 1
    done = opened.update(date(2026, 5, 12), [live(first_hour + 2, 59), live(first_hour + 3, 60)], Sketches.none())
    assert list(done.choices.values()) == ["refused", "taken"]
