"""`vigie alerts`: what an operator reads on a terminal."""

import json
import re
from pathlib import Path

import pytest

from streams.live import AlertStore, Driver
from streams.live.connection import RedisAddress
from tests.servers.commands import Ended
from tests.servers.observers import Place, vigie
from tests.servers.test_alert_store import MINUTE, alert

pytestmark = pytest.mark.servers


@pytest.fixture
def place(redis_server: object, tmp_path: Path) -> Place:
    return Place(redis_server.url, f"test.{tmp_path.name}", tmp_path)  # type: ignore[attr-defined]


def alerts(place: Place, *words: str) -> Ended:
    return vigie(place, "alerts", *words)


def test_no_alert_yet(place: Place) -> None:
    done = alerts(place)
    assert (done.code, done.stdout) == (0, b"0 incidents of 0 alerts, 0 running; no minute was judged yet\n")


def test_alerts_are_listed_explained_and_given_as_json(place: Place) -> None:
    running = alert(drivers=(Driver("44", "NOTES", None, 250.0, 60.0, 4.167),), last_rentree=150.0)
    ended = alert(start=MINUTE - 60, until=MINUTE - 50, over=True)
    AlertStore(RedisAddress(place.redis_url), place.prefix).judged(MINUTE + 3, [running], [ended])
    done = alerts(place)
    assert done.code == 0
    shown = done.stdout.decode()
    assert [line for line in shown.splitlines() if not line.startswith(" ")][:2] == [running.id, ended.id]
    assert "  surge, 44 Grand Est: 300 visits where 100 were expected since " in shown
    assert re.search(
        r"since \d{4}-\d\d-\d\d \d\d:\d\d\+0[12]:00 \(x 3\.0\); most of it: NOTES Notes \(x 4\.2\)$", shown, re.M
    )
    assert shown.isascii()  # no French sentence
    assert shown.splitlines()[-1].startswith("2 incidents of 2 alerts, 1 running; judged up to ")
    assert "Alertmanager does not answer at" in shown
    assert alerts(place, "--state", "running").stdout.count(b"surge:") == 1
    told = alerts(place, "--explain", running.id).stdout.decode()
    for part in (
        "300 visits where 100 were expected",
        "NOTES Notes (x 4.2)",
        "usual over these minutes",
        "first: see that",
    ):
        assert part in told
    (row,) = [json.loads(line) for line in alerts(place, "--state", "ended", "--json").stdout.splitlines()]
    assert (row["id"], row["alert"]["ratio"]) == (ended.id, 3.0)
    (row,) = [json.loads(line) for line in alerts(place, "--state", "ended", "--each", "--json").stdout.splitlines()]
    assert (row["id"], row["ratio"]) == (ended.id, 3.0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--explain", "surge:nowhere:1"), "`vigie alerts` lists them"),
        (("--since", "yesterday"), "--from"),
        (("--state", "dead"), "dead"),
        (("ack", "surge:nowhere:1"), "`vigie alerts` lists them"),
    ],
)
def test_what_cannot_be_meant_is_refused(place: Place, words: tuple[str, ...], said: str) -> None:
    done = alerts(place, *words)
    assert done.code == 2
    assert said in done.message
