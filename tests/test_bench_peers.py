"""The bench against peers, without servers: its table, what it keeps of an earlier call, and our own decode + count on real batches."""

import importlib
import time
from pathlib import Path

import msgspec
import orjson
import pytest

from bench.peers import __main__ as command
from bench.peers.contenders import CONTENDERS, OURS, ROOT, STREAMS, NotHereError, build
from bench.peers.ours_count import Counters
from bench.peers.running import Figures, _compare
from bench.peers.table import goals, ratio, table
from streams.count import Batch


def figures(name: str, number: int, cpu: float, redis: float = 0.0) -> Figures:
    return Figures(name, number, 1000, cpu, cpu, redis)


RUNS = [
    figures(OURS, 1, 1.0, 1.0), figures(STREAMS, 1, 3.0),
    figures(OURS, 2, 1.0, 1.0), figures(STREAMS, 2, 2.0),
    figures(OURS, 3, 2.0, 1.0), figures(STREAMS, 3, 5.0),
]  # fmt: skip


def test_a_ratio_is_the_median_of_the_rounds_with_and_without_redis():
    assert ratio(RUNS, STREAMS) == pytest.approx(2.5)
    assert ratio(RUNS, STREAMS, with_redis=True) == pytest.approx(1.5)
    assert ratio(RUNS[1:2], STREAMS) is None  # no round has both


def test_the_table_says_who_could_not_be_measured_and_why():
    text = table(RUNS, {"quix": "it would not install"})
    row = next(line for line in text.splitlines() if "Kafka Streams" in line)
    assert "333 (200 to 500)" in row
    assert "2.50 times | 1.50 times" in row
    assert "not measured: it would not install" in text
    assert "Bytewax" not in text  # nobody asked for it
    assert [line.endswith("goal 2: met") for line in goals(RUNS)] == [True, False]


def test_a_wrong_count_is_no_figure():
    truth = {(1, "054", "NOTES"): 2, (2, "054", "NOTES"): 1}
    _compare("somebody", dict(truth), truth)
    for wrong in ({**truth, (2, "054", "NOTES"): 2}, {(1, "054", "NOTES"): 2}, {**truth, (3, "054", "NOTES"): 1}):
        with pytest.raises(SystemExit, match="somebody counted wrong: 1 of 2"):
            _compare("somebody", wrong, truth)


def test_results_of_something_else_are_not_mixed_in(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.jsonl")
    monkeypatch.setattr(command, "BUILT", tmp_path)
    head = command.head_of(1000)
    assert command.earlier(head, resume=True) == []
    with command.RESULTS.open("ab") as file:
        file.write(msgspec.json.encode(RUNS[0]) + b"\n")
    assert command.earlier(head, resume=True) == [RUNS[0]]
    with pytest.raises(SystemExit, match="leave --resume out"):
        command.earlier(command.head_of(2000), resume=True)
    assert command.earlier(head, resume=False) == []
    assert command.earlier(head, resume=True) == []


def test_a_missing_tool_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("bench.peers.contenders.BUILT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotHereError, match="go is not installed"):
        build("go")


def test_every_contender_says_what_it_keeps_and_no_name_is_twice():
    assert len({one.name for one in CONTENDERS}) == len(CONTENDERS)
    assert all(one.keeps and one.title for one in CONTENDERS)


def test_our_own_decode_and_count_counts():
    now_ms = int(time.time() * 1000)
    minute = now_ms // 60_000
    values = [
        orjson.dumps(
            {"v": 1, "id": f"{n}", "ts": minute * 60_000, "uai": "0541234Y", "service": "NOTES", "visitor": f"{n % 3}"}
        )
        for n in range(10)
    ]
    counters = Counters()
    counters.count(0, [Batch(now_ms, values, [None] * 10, range(10), 10)])
    counters.count(1, [Batch(now_ms, values[:4], [None] * 4, range(4), 4)])
    assert dict(counters.minutes) == {(minute, "44", "NOTES"): 14}
    assert counters.records == 14


@pytest.mark.parametrize("path", sorted(Path(ROOT, "bench").glob("*.py")), ids=lambda path: path.stem)
def test_every_bench_can_be_started(path):
    """Benches borrow from each other, and are run by hand alone: a name that moved would be noticed on the day it is needed."""
    importlib.import_module("bench" if path.stem == "__init__" else f"bench.{path.stem}")
