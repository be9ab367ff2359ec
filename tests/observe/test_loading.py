"""What an observer does before it judges: the archive is judged once, and what is remembered of it is taken only where it still holds."""

import datetime
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streams.clock import dates, paris_day
from streams.history import load_calendar
from streams.history.archive import Archive
from streams.history.day_columns import CutName
from streams.history.marks import DayFile
from streams.history.reading import History
from streams.observe.detector_memory import DIRECTORY, FILE, keep, key_of, recall
from streams.observe.loading import COLD_MINUTES, Block, Loading, day_block
from streams.observe.series import Plan, make_plan
from streams.observe.told import NeverSeen
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs
from streams.watch import AlertKind, Episode, Judge
from streams.watch.states import JudgeState, wrong_with

FIRST, TODAY = datetime.date(2026, 1, 5), datetime.date(2026, 1, 17)
DAYS = (TODAY - FIRST).days


@pytest.fixture(scope="module")
def past() -> PastMaker:
    return PastMaker(load_inputs(default_config_dir(), 1, 0.003))


@pytest.fixture(scope="module")
def archive(past: PastMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Archive(tmp_path_factory.mktemp("loading") / "archive")
    made.prepare(simulated=True)
    for day in dates(FIRST, TODAY - datetime.timedelta(days=1)):
        made.write(past.day(day))
    return made.directory


@pytest.fixture(scope="module")
def plan(past: PastMaker) -> Plan:
    """France and one region: the others are judged alike."""
    whole = make_plan(past.inputs.catalog, past.inputs.calendar)
    return replace(
        whole, groups=tuple(group for group in whole.groups if group.name in ("France", "84", "84/services"))
    )


def load(
    archive: Path, past: PastMaker, plan: Plan, today: datetime.date = TODAY, key: str = "k"
) -> tuple[Loading, list[Judge]]:
    loading = Loading(plan, NeverSeen([], 0), None, lambda: None)
    history = History(Archive(archive), past.inputs.catalog)
    return loading, loading.load(history, key, today, None)


def bands(judges: list[Judge]) -> list[np.ndarray]:
    begin, end = paris_day(TODAY)
    return [judge.bands.between(begin - 3000, end)[1] for judge in judges]


def test_a_second_start_judges_the_last_days_alone_and_knows_the_same(
    archive: Path, past: PastMaker, plan: Plan
) -> None:
    first, judges = load(archive, past, plan)
    assert first.done == first.days == DAYS
    again, others = load(archive, past, plan)
    assert again.done == again.days == 3
    assert again.fed == first.fed == paris_day(TODAY)[0]
    for one, other in zip(bands(judges), bands(others), strict=True):
        np.testing.assert_array_equal(one, other)
    # And from there on they say the same: a region falls silent.
    begin = paris_day(TODAY)[0]
    rng = np.random.default_rng(1)
    table = rng.poisson(5.0, (plan.rows, 900)).astype(float)
    table[:, 700:] = 0.0
    for judge, known in zip(judges, others, strict=True):
        assert judge.feed(begin, table) == known.feed(begin, table)
        assert judge.running() == known.running()


def test_memory_that_does_not_hold_any_more_is_not_taken(archive: Path, past: PastMaker, plan: Plan) -> None:
    load(archive, past, plan)
    assert load(archive, past, plan)[0].done == 3
    assert load(archive, past, plan, key="other code")[0].done == DAYS
    # A day was written again, later events having come.
    file = Archive(archive).path(FIRST + datetime.timedelta(days=4))
    load(archive, past, plan)
    os.utime(file, ns=(1, 1))
    assert load(archive, past, plan)[0].done == DAYS
    assert load(archive, past, plan)[0].done == 3


def test_memory_serves_later_days_too(archive: Path, past: PastMaker, plan: Plan) -> None:
    earlier = TODAY - datetime.timedelta(days=4)
    load(archive, past, plan, today=earlier, key="later")
    assert load(archive, past, plan, today=earlier, key="later")[0].done == 4  # that day itself is held
    assert load(archive, past, plan, key="later")[0].done == 3 + 4
    assert load(archive, past, plan, key="later")[0].done == 3


def with_digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest() + body


NO_MEMORIES = {
    "empty": b"",
    "text": b"no memory",
    "a command": b"cos\nsystem\n(S'echo ran > ran'\ntR.",  # a pickle: what an earlier version read
    "a command with a digest": with_digest(b"cos\nsystem\n(S'echo ran > ran'\ntR."),
    "another kind": with_digest(msgspec.msgpack.encode(["of another kind"])),
    "nested": with_digest(b"\x91" * 100_000),
    "no groups": with_digest(msgspec.msgpack.encode({"key": "k", "files": {}, "fed": 1, "states": []})),
}


@pytest.mark.parametrize("content", NO_MEMORIES.values(), ids=NO_MEMORIES)
def test_a_file_that_is_no_memory_is_said_and_taken_for_none(
    content: bytes, plan: Plan, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DIRECTORY).mkdir()
    (tmp_path / DIRECTORY / FILE).write_bytes(content)
    assert recall(tmp_path, "k", {}, FIRST, plan.groups) is None
    assert "judged anew" in caplog.text
    assert not (tmp_path / "ran").exists()


def changed(state: JudgeState, what: str) -> JudgeState:
    """A state that no judge of the group left behind."""
    panel, today, day = state.panel, state.panel.today, state.panel.days[0]
    assert today is not None
    episode = Episode(AlertKind.SURGE, 10**9, 0, 0, False)
    wrong = {
        "first": lambda: replace(state, first=state.first + 1),
        "fed": lambda: replace(state, fed=state.fed + 60),
        "banded": lambda: replace(state, banded=-1),
        "few": lambda: replace(state, few=state.few[1:]),
        "part": lambda: replace(state, part=np.zeros((len(state.few), 60))),
        "ring": lambda: replace(state, ring=state.ring[:, :, 1:]),
        "untold": lambda: replace(state, untold=((len(state.few), replace(episode, start=0)),)),
        "rows_judged": lambda: replace(state, panel=replace(panel, rows_judged=0)),
        "counts": lambda: replace(state, panel=replace(panel, counts=panel.counts.T.copy())),
        "tracks": lambda: replace(state, panel=replace(panel, tracks=panel.tracks[1:])),
        "ended": lambda: replace(state, panel=replace(panel, ended=((0, episode),))),
        "days": lambda: replace(state, panel=replace(panel, days=(*panel.days, day))),
        "day": lambda: replace(state, panel=replace(panel, days=(replace(day, share=day.share[1:]), *panel.days[1:]))),
        "slots": lambda: replace(state, panel=replace(panel, today=replace(today, slots=today.slots + 10_000))),
        "errors": lambda: replace(state, panel=replace(panel, today=replace(today, error=today.error[:1]))),
    }
    return wrong[what]()


@pytest.fixture(scope="module")
def judge(archive: Path, past: PastMaker, plan: Plan) -> Judge:
    return load(archive, past, plan, key="judge")[1][0]


def test_a_memory_of_which_a_bit_changed_is_not_taken(judge: Judge, tmp_path: Path) -> None:
    keep(tmp_path, "k", {FIRST: (1, 1)}, 0, [judge])
    path = tmp_path / DIRECTORY / FILE
    assert recall(tmp_path, "k", {FIRST: (1, 1)}, FIRST, [judge.group]) is not None
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert recall(tmp_path, "k", {FIRST: (1, 1)}, FIRST, [judge.group]) is None


CHANGES = (
    "first", "fed", "banded", "few", "part", "ring", "untold", "rows_judged", "counts", "tracks", "ended", "days", "day", "slots", "errors",
)  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_a_state_of_other_sizes_or_shapes_is_none(judge: Judge, what: str) -> None:
    state = judge.state(FIRST)
    assert wrong_with(state, judge.group) is None
    assert wrong_with(changed(state, what), judge.group) is not None


def test_the_key_is_that_of_code_lists_and_calendar(past: PastMaker) -> None:
    catalog, calendar = past.inputs.catalog, past.inputs.calendar
    assert key_of(catalog, calendar) == key_of(catalog, load_calendar(default_config_dir(), catalog))
    assert key_of(replace(catalog, digest="other"), calendar) != key_of(catalog, calendar)


def test_the_first_minutes_ever_counted_are_not_judged(plan: Plan) -> None:
    """A visitor who was there before counting began counts as one who arrives."""
    loading = Loading(plan, NeverSeen([], 0), range(1000, 1000 + COLD_MINUTES), lambda: None)
    block = Block(990, np.ones((plan.rows, 60)))
    known = np.isfinite(loading.warm(block).table[0])
    assert known.tolist() == [True] * 10 + [False] * COLD_MINUTES + [True] * 20
    assert np.isfinite(block.table).all()
    assert loading.warm(Block(1000 + COLD_MINUTES, np.ones((plan.rows, 5)))).table.all()


def test_what_an_import_left_out_is_unknown_not_zero(past: PastMaker, plan: Plan) -> None:
    made = past.day(FIRST)
    marks = tuple(msgspec.structs.replace(mark, cuts=(CutName.REGION,)) for mark in made.hours[:12])
    day = DayFile(FIRST, 0, (*marks, *made.hours[12:]), made.rows, made.sketches)
    table = day_block(plan, day).table
    of_region, of_project = plan.places[CutName.REGION, ("84",)][1], plan.places[CutName.PROJECT, ("ent_ara",)][1]
    assert np.isfinite(table[of_region]).all()
    assert np.isnan(table[of_project, : 12 * 60]).all()
    assert np.isfinite(table[of_project, 12 * 60 :]).all()
    assert np.isfinite(table[0]).all()
