"""`vigie rehearse-load`: what was sent is counted as often as archived; on the servers of a live chain nothing of that is touched."""

import re
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams import edges
from streams.audit.figures import log_ends
from streams.catalog import Catalog
from streams.cli import cli
from streams.history.archive import Archive
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs
from tests.servers.conftest import Installation
from tests.servers.test_outages import traffic_to

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


@pytest.mark.long
def test_a_range_of_the_live_topic_is_sent_again_beside_the_live_chain(
    installation: Installation, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in installation.environment.items():
        if name.startswith("VIGIE_"):
            monkeypatch.setenv(name, value)
    settings = installation.settings
    traffic = traffic_to(installation, catalog)
    traffic.send(2_000)
    sent = traffic.flush()
    now = int(time.time() // 60 * 60) + 60
    began, ended = (datetime.fromtimestamp(at, UTC).isoformat() for at in (now - 120, now))
    counted = sum(number for (minute, *_), number in sent.events.items() if now // 60 - 2 <= minute < now // 60)
    assert counted > 500
    before = log_ends(edges.kafka_address(settings), settings.topic)
    words = ["rehearse-load", "--range", began, ended, "--times", "2", "--workers", "1", "--servers", "settings"]
    words += ["--at-once", "--name", f"load.{settings.topic}"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code in (0, 1), (done.output, done.exception)
    text = done.stdout.replace("\u202f", "")
    assert text.startswith("essai de charge : le journal de Kafka, fois 2, par Kafka, "), text
    numbers = re.search(r"(\d+) envoyés, (\d+) confirmés = (\d+) comptés \+ 0 rejetés \+ 0 doublons ; écart 0\n", text)
    assert numbers, text
    assert {int(number) for number in numbers.groups()} == {2 * counted}
    assert f"à savoir : {sum(sent.rejected.values())} enregistrement(s) hors contrat, non renvoyé(s)" in text, text
    assert log_ends(edges.kafka_address(settings), settings.topic) == before
    again = CliRunner().invoke(cli, words)
    assert again.exit_code != 0
    assert "holds something already: choose another --name" in str(again.exception), again.output
