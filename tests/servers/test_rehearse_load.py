"""`vigie rehearse-load` against a chain that it starts: everything that was sent is counted, minute by minute as often as archived."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import cli
from streams.history.archive import Archive
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs

pytestmark = pytest.mark.servers
DAY = date(2026, 9, 1)


@pytest.mark.parametrize("through", ["kafka", pytest.param("collector", marks=pytest.mark.long)])
def test_a_multiplied_day_is_counted_whole(through: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_STACK_FILE", str(tmp_path / "none.json"))
    archive = Archive(tmp_path / "archive")
    archive.prepare(simulated=True)
    archive.write(PastMaker(load_inputs(default_config_dir(), 1, 0.004)).day(DAY))
    words = [
        "rehearse-load",
        "--day",
        f"{DAY}",
        "--archive",
        str(archive.directory),
        "--minutes",
        "1",
        "--times",
        "3",
        "--workers",
        "1",
    ]
    done = CliRunner().invoke(cli, [*words, "--through", through, "--at-once"])
    assert done.exit_code in (0, 1), (done.output, done.exception)
    text = done.stdout.replace("\u202f", "")
    assert re.search("verdict : (tenu|non tenu|limité par la machine)", text), text
    numbers = re.search(r"(\d+) envoyés, (\d+) confirmés = (\d+) comptés \+ 0 rejetés \+ 0 doublons ; écart 0\n", text)
    assert numbers, text
    assert len(set(numbers.groups())) == 1
    assert int(numbers[1]) > 500
    visits = re.search(r"(\d+) comptées, (\d+) attendues", text)
    assert visits, text
    assert visits[1] == visits[2]
    for process in ("générateur 0", "Kafka", "ouvrier 0", "Redis", "observateur", "collecteur"):
        assert re.search(rf"\n    {process} +[0-9,]+ cœur au plus, [1-9]\d* Mio", text), (process, text)
    assert re.search(r"p50 [0-9,]+ s, p95 [0-9,]+ s, p99 [0-9,]+ s", text), text
    assert re.search(r"à la pire minute\) : [2-9] ouvriers", text), text
