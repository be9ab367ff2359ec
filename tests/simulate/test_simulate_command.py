"""`vigie simulate --out`: files that can be published, the same for the same options."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.simulate import simulate
from streams.errors import InputError
from streams.simulate.truth import load_truth


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("VIGIE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VIGIE_STACK_FILE", str(tmp_path / "none.json"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(simulate, [str(a) for a in arguments], catch_exceptions=False)


def test_the_same_options_write_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "a.ndjson", tmp_path / "b.ndjson"]
    for path in paths:
        options = ("--scenario", "storm", "--scale", "0.005", "--minutes", 2, "--start", "2026-11-23T08:00:00+01:00")
        assert run(*options, "--seed", 7, "--from", "07:55", "--out", path).exit_code == 0
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert len({line for line in first.splitlines()}) > 1000
    truths = [path.with_name(f"{path.name}.truth.json") for path in paths]
    assert truths[0].read_bytes() == truths[1].read_bytes()
    truth = load_truth(truths[0])
    assert truth.complete
    assert truth.published == first.count(b"\n")
    assert all(json.loads(line)["id"].startswith("sim-") for line in first.splitlines() if b'"id":"sim' in line)
    assert min(truth.minutes) * 60 == 1_795_417_200 + 0


def test_a_file_without_a_start_can_be_published_at_once(tmp_path: Path) -> None:
    before = time.time()
    result = run("--scenario", "rentree", "--scale", "0.005", "--events", 3000, "--out", tmp_path / "e", "--clean")
    times = [json.loads(line)["ts"] / 1000 for line in (tmp_path / "e").read_text().splitlines()]
    assert len(times) == 3000
    assert max(times) <= time.time()
    assert min(times) > before - 3600
    assert "3000 lines: 3000 events, 0 repeats, 0 to be rejected" in result.stderr


def test_standard_output_carries_events_alone(tmp_path: Path) -> None:
    result = run("--scenario", "ordinary", "--scale", "0.01", "--events", 50, "--out", "-", "--truth", tmp_path / "t")
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 50
    assert load_truth(tmp_path / "t").published == 50
    assert "calendar shift" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --out FILE or --live"),
        (("--out", "x", "--live"), "either --out FILE or --live"),
        (("--live", "--minutes", "3", "--start", "2026-01-01"), "--minutes, --start cannot be used with --live"),
        (("--out", "x", "--speed", "3"), "--speed cannot be used with --out"),
        (("--out", "x", "--minutes", "3", "--events", "3"), "either --minutes or --events"),
        (("--out", "x", "--from", "25:00"), "not a time of day"),
        (("--out", "x", "--start", "monday"), "not a time"),
        (("--out", "/nowhere/x", "--minutes", "1"), "cannot be written"),
        (("--out", "x", "--events", "9000000000"), "give a larger --scale"),
        (("--out", "x", "--scale", "99"), "--scale 99"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        run("--scenario", "rentree", *arguments)
