"""The page's list of incidents, and the words in which alerts are told."""

from dataclasses import replace
from itertools import product

import pytest
from msgspec import structs

from streams.expose.alert_french import Words, hoped
from streams.expose.alert_rows import links_of
from streams.expose.incidents import IncidentParts
from streams.expose.page.board import board
from streams.expose.page.judged import INCIDENTS_MAX, PARTS_MAX, Sources, told
from streams.expose.page.picture import Picture
from streams.expose.scope import Scope
from streams.expose.spans import NO_GRID
from streams.incidents import AlertBook
from tests.incidents.storms import MINUTE_MS, alert, storm
from tests.stand_ins import NOBODY

FRANCE = Scope("france", "")


@pytest.fixture
def picture(make_snapshot):
    snapshot = make_snapshot()
    return Picture(snapshot=snapshot, read_ms=snapshot.now_ms, settled_ms=snapshot.settled_ms, judged_to=10)


def listed(catalog, picture, scope=FRANCE):
    parts = IncidentParts(NOBODY, Words(catalog, 0), lambda: None, lambda: 0)
    return told(Sources(lambda *_: (), lambda: 10, None, NOBODY, parts), picture, scope, NO_GRID)


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        (FRANCE, ["national", "atrium"]),
        (Scope("region", "44"), ["national"]),
        (Scope("region", "93"), ["national", "atrium"]),
        (Scope("project", "atrium"), ["national", "atrium"]),
        (Scope("project", "agora06"), ["national"]),
        (Scope("academy", "12"), ["national"]),
        (Scope("region", "44", "PAGE_ENT"), ["national"]),
    ],
)
def test_a_scope_shows_the_incidents_that_concern_it(picture, catalog, scope, shown):
    own = [alert("region", region="44"), alert("service", region="44", service="NOTES")]
    book = AlertBook(1_010, (alert(), *own, alert("project", "silence", project="atrium")))
    found = listed(catalog, replace(picture, book=book), scope)
    shows = found.incidents["list"]
    assert [one["project"] or one["region"] or "national" for one in shows] == shown
    in_the_east = scope.kind == "france" or (scope.kind, scope.code) in (("region", "44"), ("academy", "12"))
    assert shows[0]["explains"]["regions"] == in_the_east
    assert shows[0]["explains"]["services"] == (in_the_east and scope.service is None)
    # The scope's own alert is shaded on its curve, also where it is a part of a wider incident.
    assert len(found.spans) == (scope in (FRANCE, Scope("region", "44"), Scope("project", "atrium")))


def test_the_list_is_cut_after_it_was_folded_and_states_come_from_all(picture, catalog):
    """355 alerts: the page showed 40 of them, and called the ENT of the others normal."""
    silent = [alert("project", "silence", project=one.code) for one in catalog.projects]
    places = product((one.code for one in catalog.regions), (one.code for one in catalog.services))
    services = [alert("service", region=r, service=s) for r, s in places][: 355 - len(silent)]
    seen = dict.fromkeys(catalog.project_codes, picture.settled_minute)
    judged = replace(picture, book=AlertBook(1_010, (*services, *silent)), last_seen=seen)
    shown = listed(catalog, judged).incidents
    assert (shown["running"], shown["alerts"], len(shown["list"])) == (355, 355, INCIDENTS_MAX)
    states = {row["state"] for row in board(judged, FRANCE, catalog)["projects"]}
    assert states == {"muet"}


def test_a_storm_is_one_incident_on_the_page(picture, catalog):
    judged = replace(picture, book=AlertBook(1_012, storm(catalog)))
    shown = listed(catalog, judged).incidents
    assert (shown["running"], shown["alerts"], len(shown["list"])) == (1, 317, 1)
    one = shown["list"][0]
    assert one["explained"] == "Explique 316 autres alertes : 13 régions, 13 ENT, 290 services."
    assert (len(one["parts"]), one["explains"]["alerts"]) == (PARTS_MAX, 316)


@pytest.mark.parametrize(
    ("expected", "words"),
    [(0.0, "aucune attendue"), (0.03, "presque aucune attendue"), (0.3, "0,3 attendue"), (2.04, "2,0 attendues"), (12.3, "12 attendues")],
)  # fmt: skip
def test_few_are_not_told_as_none(expected, words):
    assert hoped(expected, "attendue") == words
    assert hoped(0.01, "attendu") == "presque aucun attendu"


def test_a_ratio_since_the_start_says_so_beside_the_one_of_now(catalog):
    words, surge = (
        Words(catalog, 0),
        alert(start=29_804_040, expected=100.0),
    )
    assert words.sentence(surge).endswith("300 visites pour 100 attendues depuis 08:00 (× 3,0).")
    now = structs.replace(surge, observed_now=41.0, expected_now=10.0)
    assert words.sentence(now).endswith(
        "300 visites pour 100 attendues depuis 08:00 (× 3,0), × 4,1 ces 5 dernières minutes."
    )
    over = structs.replace(now, end_ms=1_788_243_000_000)
    assert words.sentence(over).endswith("300 visites pour 100 attendues de 08:00 à 08:10 (× 3,0).")


def test_an_incident_leads_to_its_scope_at_its_time(catalog):
    regions, start_ms = {"mbn": "44"}, 1_000 * MINUTE_MS
    times = f"from={start_ms - 3_600_000}&to=now"

    def links(one, minutes=10, **more):
        found = links_of(one, regions, start_ms + minutes * MINUTE_MS, **more)
        return found.page, found.board

    assert links(alert()) == ("./", f"d/vigie-direct/direct?{times}")
    assert links(alert("region", region="44")) == (
        "?region=44",
        f"d/vigie-region/region-et-service?{times}&var-region=44",
    )
    service = alert("service", region="44", service="NOTES", end_ms=1_100 * MINUTE_MS)
    assert links(service)[0].startswith("?region=44&service=NOTES&")
    assert f"to={1_160 * MINUTE_MS}&var-region=44&var-service=NOTES" in links(service)[1]
    project = alert("project", "silence", project="mbn")
    assert links(project, grafana_url="https://boards.example.org/g/") == (
        "?ent=mbn",
        f"https://boards.example.org/g/d/vigie-region/region-et-service?{times}&var-region=44&var-project=mbn",
    )
    # The curve is long enough to show when it began.
    assert [links(alert(), minutes)[0] for minutes in (59, 60, 400, 2000, 99_999)] == [
        "./",
        "?duree=6h",
        "?duree=24h",
        "?duree=7j",
        "?duree=7j",
    ]
    # What is over leads to the page as it was then: a hundred minutes, and some before and after.
    assert links(service)[0].endswith("&duree=6h&fin=1970-01-01T18%3A35%3A00Z")
    short = structs.replace(service, end_ms=1_020 * MINUTE_MS)
    assert links(short)[0] == "?region=44&service=NOTES&fin=1970-01-01T17%3A15%3A00Z"
