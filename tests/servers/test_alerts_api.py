"""`/api/v1/alerts` and `/api/v1/expected` of a real observer."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from streams.catalog import load_catalog
from streams.clock import paris_date
from streams.history.archive import Archive
from streams.live import AlertStore, Driver
from streams.live.connection import RedisAddress
from streams.settings import default_config_dir
from streams.simulate.past_days import PastMaker, load_inputs
from tests.servers.observers import Filler, Observer, Place, events, now_minute, observing, to_school_morning_seconds
from tests.servers.test_alert_store import MINUTE, alert
from tests.waiting import wait_until

pytestmark = pytest.mark.servers


def test_alerts_and_expectations_over_http(redis_server: object, tmp_path: Path) -> None:
    place = Place(redis_server.url, f"test.{tmp_path.name}", tmp_path)  # type: ignore[attr-defined]
    store = AlertStore(RedisAddress(place.redis_url), place.prefix)
    driver = Driver("44", "NOTES", None, 250.0, 60.0, 4.167)
    running = alert(drivers=(driver,))
    ended = alert(start=MINUTE - 60, until=MINUTE - 50, over=True)
    store.judged(MINUTE + 3, [running], [ended])
    minute = now_minute() - 3
    filler = Filler(place, load_catalog(default_config_dir()).digest)
    # The first half hour that is ever counted is not judged. An observer that finds nothing counted judges from midnight on, which may have
    # been a moment ago: it starts after these.
    filler.count({minute - 40: events(3), minute: events(30)}, watermark_ms=(minute + 2) * 60_000)
    with observing(place) as observer:
        status, answer = observer.json("/api/v1/alerts")
        assert status == 200
        assert [one["id"] for one in answer["alerts"]] == [running.id, ended.id]
        first = answer["alerts"][0]
        assert (first["end"], first["ratio"], first["observed"], first["learning"]) == (None, 3.0, 300.0, False)
        assert first["drivers"][0] == {
            "scope": "service", "region": "44", "service": "NOTES", "project": None, "observed": 250.0, "expected": 60.0, "ratio": 4.167,
        }  # fmt: skip
        assert first["explanation"] == (
            "Hausse – Grand Est : 300 visites pour 100 attendues depuis 22:20 (× 3,0). Surtout : Notes (× 4,2)."
        )
        by_state = {
            s: len(observer.json(f"/api/v1/alerts?state={s}")[1]["alerts"]) for s in ("running", "ended", "all")
        }
        assert by_state == {"running": 1, "ended": 1, "all": 2}
        status, one = observer.json("/api/v1/alerts/" + quote(running.id))
        assert (status, one["id"]) == (200, running.id)
        assert "Bornes habituelles" in one["explanation"]
        assert observer.json("/api/v1/alerts/surge:nowhere:1")[0] == 404
        assert observer.json("/api/v1/alerts?state=dead")[0] == 422
        _incidents(observer, running.id, ended.id)
        assert observer.json("/api/v1/expected?region=GONE")[0] == 422
        assert observer.json("/api/v1/expected?service=GONE")[0] == 422

        def counted() -> list[dict[str, Any]]:
            rows = observer.json("/api/v1/expected?region=44")[1]["rows"]
            return [row for row in rows if row["observed"]]

        wait_until(lambda: bool(counted()))
        (row,) = counted()
        # Nothing to compare with yet: nothing is invented.
        assert (row["observed"], row["expected"], row["lower"], row["learning"]) == (10.0, None, None, True)
        # A service of all of France is the sum of its regions.
        status, france = observer.json("/api/v1/expected?service=NOTES")
        region = observer.json("/api/v1/expected?region=44&service=NOTES")[1]
        observed = [{row["minute"]: row["observed"] for row in found["rows"]} for found in (france, region)]
        assert status == 200
        assert observed[0].items() <= observed[1].items()


def _incidents(observer: Observer, running: str, ended: str) -> None:
    status, answer = observer.json("/api/v1/incidents")
    assert (status, answer["alerts"], answer["acknowledgements"]) == (200, 2, "unknown")
    assert [(one["id"], one["called"], one["explains"]["alerts"]) for one in answer["incidents"]] == [
        (running, True, 0),
        (ended, False, 0),
    ]
    assert answer["incidents"][0]["links"] == {
        "page": "?region=44&duree=7j",
        "board": f"d/vigie-region/region-et-service?from={(MINUTE - 60) * 60_000}&to=now&var-region=44",
        "runbook": "runbooks/EntSurge",
        "json": f"api/v1/incidents/{quote(running, safe='')}",
    }
    # What is over leads to the page as it was then, from before it began.
    of_then = answer["incidents"][1]["links"]["page"]
    assert re.fullmatch(r"\?region=44(&duree=\w+)?&fin=2\d{3}-\d\d-\d\dT\d\d%3A\d\d%3A00Z", of_then), of_then
    status, one = observer.json("/" + answer["incidents"][0]["links"]["json"])
    assert (status, one["id"], one["alerts"]) == (200, running, [])
    assert "Bornes habituelles" in one["explanation"]
    found = {
        query: len(observer.json(f"/api/v1/incidents?{query}")[1].get("incidents", []))
        for query in ("state=running", "region=44", "region=11", "academy=12", "project=mbn", "project=atrium")
    }
    assert list(found.values()) == [1, 2, 0, 2, 2, 0]
    for wrong in ("region=GONE", "ent=mbn", "region=44&project=mbn", "state=dead"):
        assert observer.json(f"/api/v1/incidents?{wrong}")[0] == 422, wrong
    assert observer.json("/api/v1/incidents/surge:nowhere:1")[0] == 404


def test_days_of_the_past_that_are_imported_while_it_runs_are_learned_from(
    redis_server: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `vigie up --scenario` and `vigie history import` bring them."""
    monkeypatch.setattr("streams.observe.loading.LOOK_SECONDS", 0.2)
    archive = Archive(tmp_path / "archive")
    shift = to_school_morning_seconds()
    place = Place(redis_server.url, f"test.{tmp_path.name}", tmp_path, shift, archive.directory)  # type: ignore[attr-defined]
    minute = now_minute() - 3
    filler = Filler(place, load_catalog(default_config_dir()).digest)
    with observing(place) as observer:
        filler.count({minute - 40: events(3), minute: events(30)}, watermark_ms=(minute + 2) * 60_000)

        def judged() -> dict[str, Any]:
            rows = observer.json("/api/v1/expected?region=84")[1]["rows"]
            return next((row for row in rows if datetime.fromisoformat(row["minute"]).timestamp() == minute * 60), {})

        wait_until(lambda: judged() != {})
        assert (judged()["expected"], judged()["learning"]) == (None, True)
        past = PastMaker(load_inputs(default_config_dir(), 1, 0.02))
        archive.prepare(simulated=True)
        for week in (5, 6):  # weeks that are judged, too, would take longer
            archive.write(past.day(paris_date(minute + shift // 60) - timedelta(weeks=week)))
        wait_until(lambda: judged().get("expected") is not None)
        wait_until(lambda: observer.scrape(minutes=False)[("ent_detector_loading",)] == 0.0)
