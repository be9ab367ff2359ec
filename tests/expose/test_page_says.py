"""What the live page says, from plain values: scopes, boards, the verdict, French figures."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from streams.count import Cut
from streams.errors import InputError
from streams.expose.alert_french import Words
from streams.expose.incidents import IncidentParts
from streams.expose.page.board import board, lists, pulse
from streams.expose.page.curves import Lines
from streams.expose.page.judged import Sources, band, compared, told
from streams.expose.page.older_minutes import PastVisits
from streams.expose.page.picture import Hope, Picture
from streams.expose.scope import FRENCH, Scope, projects_of, read_scope, region_of
from streams.expose.spans import SPANS, Grid
from streams.history import load_calendar
from streams.live import AlertBook, AlertRecord
from streams.observe import ExpectedRow
from streams.settings import default_config_dir
from streams.watch import AlertScope as Judged
from tests.stand_ins import NO_MINUTES, NOBODY

FRANCE = Scope("france", "")
GRID = Grid(100, 110, 1)
SETTLED = 29_804_042  # the minute that ends where the fixture's time is settled, cut to a minute


@pytest.fixture
def curve(catalog):
    """The curve of an hour, with neither an archive nor older minutes in Redis."""
    lines = Lines(PastVisits(None, NO_MINUTES, catalog, 0), load_calendar(default_config_dir(), catalog), catalog)
    return lambda picture, scope: lines.curve(picture, scope, SPANS["1h"])


# --- scope


def test_an_address_names_one_place_and_a_service(catalog):
    def read(**given):
        return read_scope(catalog, *(given.get(name) for name in FRENCH))

    assert read() == FRANCE
    assert read(region="44", service="CAHIER_TEXTES") == Scope("region", "44", "CAHIER_TEXTES")
    assert read(academie="12") == Scope("academy", "12")
    assert read(ent="mbn") == Scope("project", "mbn")
    assert read(region="", ent="INCONNU") == Scope("project", "INCONNU")
    for wrong in (
        {"region": "44", "ent": "mbn"},
        {"region": "nope"},
        {"service": "nope"},
        {"ent": "mbn", "service": "PAGE_ENT"},
    ):
        with pytest.raises(InputError):
            read(**wrong)


def test_a_scope_knows_its_region_and_its_ent(catalog):
    assert region_of(Scope("academy", "12"), catalog) == "44"
    assert region_of(Scope("project", "mbn"), catalog) == "44"
    assert region_of(FRANCE, catalog) is None
    assert "mbn" in projects_of(Scope("region", "44"), catalog)
    assert "atrium" not in projects_of(Scope("region", "44"), catalog)
    assert "pcn" not in projects_of(Scope("academy", "24"), catalog)  # Paris is not in the academy of Créteil
    assert "webcollege93" in projects_of(Scope("academy", "24"), catalog)


# --- board


@pytest.mark.parametrize(
    ("scope", "events", "visits"),
    [
        (FRANCE, 31, 10),
        (Scope("region", "44"), 20, 6),
        (Scope("region", "44", "CAHIER_TEXTES"), 0, 5),
        (Scope("france", "", "PAGE_ENT"), 10, 3),
        (Scope("academy", "12"), 20, 6),
        (Scope("project", "mbn"), 20, 6),
        (Scope("project", "INCONNU"), 0, 0),
    ],
)
def test_every_scope_has_its_own_figures(picture, catalog, curve, scope, events, visits):
    shown = board(picture, scope, catalog, curve(picture, scope))
    assert shown["now"] == {"minute": picture.settled_minute, "events": events, "visits": visits}
    assert shown["visits"][-10:] == [visits] * 10
    assert shown["visits"][:-10] == [None] * 50
    assert shown["first"] == picture.whole_from - 50


def test_a_minute_that_is_not_held_between_others_is_a_measured_zero(picture, curve):
    holed = replace(picture, minutes={m: f for m, f in picture.minutes.items() if m != picture.settled_minute - 1})
    assert curve(holed, FRANCE).visits[-3:] == [10, 0, 10]


def test_running_minutes_come_with_the_pulse_alone(picture, catalog):
    assert pulse(picture, FRANCE, 20_000)["running"] == [[picture.settled_minute + 1, 61, 20]]


def test_tables_add_up_the_last_settled_minutes(picture, catalog):
    shown = board(picture, FRANCE, catalog)
    rows = {row["code"]: row for row in shown["regions"]}
    assert list(rows) == list(catalog.region_codes)
    assert (rows["44"]["visits"], rows["44"]["services"]) == (30, {"CAHIER_TEXTES": 25})
    ents = {row["code"]: row for row in shown["projects"]}
    assert (ents["mbn"]["state"], ents["mbn"]["visits"]) == ("normal", 30)
    assert ents["atrium"]["state"] == "muet"
    assert (ents["pcn"]["state"], ents["pcn"]["lastMinute"]) == ("jamais-vu", None)


def test_a_scope_has_the_figures_that_are_measured_for_it_and_says_once_which_are_not(picture, catalog):
    def shown(scope):
        return {one["title"]: one["value"] for one in board(picture, scope, catalog)["figures"]}

    users, schools = "Utilisateurs, 15 min", "Établissements, 15 min"
    assert shown(FRANCE) == {users: 12, "Utilisateurs, aujourd'hui": 400, "Événements par minute": 31, schools: 3}
    assert shown(Scope("region", "44"))[users] == 9
    assert shown(Scope("region", "04"))[users] == "moins de 5"
    assert shown(Scope("academy", "12")) == {users: 8, "Visites, 15 min": 60, "Événements par minute": 20}
    assert shown(Scope("project", "mbn")) == {users: 12, "Visites, 15 min": 60, "Événements par minute": 20, schools: 3}
    of_service = {"Événements par minute": 20, "Utilisations, 15 min": 0, "Part des événements, 15 min": 100.0}
    assert shown(Scope("region", "44", "NOTES")) == of_service
    assert shown(Scope("france", "", "PAGE_ENT"))["Part des événements, 15 min"] == round(1000 / 31, 1)
    assert set(one["value"] for one in board(Picture(), FRANCE, catalog)["figures"]) == {None}
    for scope, said in (
        (FRANCE, None), (Scope("region", "44"), None), (Scope("academy", "12"), "académie"), (Scope("project", "mbn"), "par ENT"),
        (Scope("region", "44", "NOTES"), "Utilisateurs, établissements et ENT ne sont pas mesurés par service."),
    ):  # fmt: skip
        found = board(picture, scope, catalog)["unmeasured"]
        assert found is None if said is None else said in found


def test_a_service_filters_regions_and_what_is_expected_of_them(picture, catalog):
    def expected(scope, begin, end):
        if scope.service is None:
            return rows(begin, [8.0] * (end - begin))
        return rows(end - 5, [30.0 if scope.region == "44" else 0.0], step=5)

    judged = replace(picture, judged_to=picture.settled_minute + 1)
    scope = Scope("region", "44", "CAHIER_TEXTES")
    shown = board(judged, scope, catalog, judged=told(sources(catalog, expected), judged, scope, GRID))
    by_code = {row["code"]: row for row in shown["regions"]}
    assert (by_code["44"]["visits"], by_code["44"]["expected"], by_code["44"]["ratio"]) == (25, 15.0, 2.0)
    assert (by_code["11"]["visits"], by_code["11"]["ratio"]) == (0, None)
    loading = replace(picture, judged_to=None)
    none = board(loading, scope, catalog, judged=told(sources(catalog, expected), loading, scope, GRID))
    assert {row["expected"] for row in none["regions"]} == {None}  # not that of all services


def test_everything_can_be_written(picture, catalog):
    for value in (
        lists(catalog),
        board(picture, FRANCE, catalog),
        pulse(picture, FRANCE, 20_000),
        board(Picture(), FRANCE, catalog),
    ):
        assert orjson.loads(orjson.dumps(value)) == value


# --- what was expected


def rows(first, values, step=1):
    return [
        ExpectedRow(first + n * step, step, v, v and v / 2, v and v / 4, v and v, False) for n, v in enumerate(values)
    ]


def sources(catalog, expected, alerts=(), rentree=None):
    class Book:
        def book(self):
            return AlertBook(1, tuple(alerts))

    book: Any = Book()
    return Sources(
        expected, lambda: 10, rentree, NOBODY, IncidentParts(book, Words(catalog, 0), lambda: None, lambda: 0)
    )


def known(found: dict[str, object] | None) -> dict[str, Any]:
    assert found is not None
    return found


def test_a_band_lies_on_the_grid_whatever_the_step_of_the_rows():
    found = known(band(rows(100, [50.0, None, 20.0], step=5), Grid(103, 113, 1)))
    assert found["expected"] == [5.0, 5.0, None, None, None, None, None, 2.0, 2.0, 2.0]
    assert found["upper"][:2] == [10.0, 10.0]
    assert known(band(rows(100, [50.0, 20.0, None], step=5), Grid(100, 115, 10)))["expected"] == [3.5, None]
    assert band(rows(100, [None]), Grid(100, 101, 1)) is None
    assert band([], Grid(100, 101, 1)) is None


def test_a_figure_is_held_against_its_own_minute_or_against_whole_rows_of_minutes():
    assert known(compared(rows(100, [10.0, 12.0]), 101))["expected"] == 6.0
    assert compared(rows(100, [10.0, 12.0]), 102) is None  # not judged yet: nothing, not the minute before
    assert compared([], 100) is None
    five = known(compared(rows(100, [50.0, 60.0], step=5), 111))
    assert (five["first"], five["minutes"], five["visits"], five["expected"]) == (105, 5, 60.0, 30.0)
    assert compared(rows(100, [50.0], step=5), 200) is None


def test_a_rate_is_that_of_the_rows_that_were_judged(catalog, picture):
    last = picture.settled_minute
    found = sources(
        catalog, lambda scope, begin, end: rows(last - 9, [10.0] * 10) if scope == Judged(project="mbn") else []
    )
    regions, projects = found.hopes(catalog, last)
    assert regions == {}
    assert projects == {"mbn": Hope(25.0, 2.0)}

    def shown(judged_to):
        found = board(replace(picture, project_hopes=projects, judged_to=judged_to), FRANCE, catalog)["projects"]
        by_code = {row["code"]: row for row in found}
        return *(by_code["mbn"][name] for name in ("visits", "expected", "ratio")), by_code["pcn"]["ratio"]

    assert shown(last + 1) == (30, 25.0, 2.0, None)
    # A moment after a minute settled it is not judged yet: the tables' figures are of the same minutes as their ratios, or these are blank.
    older = replace(picture.minutes[last - 5], by={**picture.minutes[last - 5].by, Cut.VISIT_PROJECT: {("mbn",): 100}})
    picture = replace(picture, minutes={**picture.minutes, last - 5: older})
    assert shown(last) == (124, 25.0, 2.0, None)
    assert shown(last - 1) == (30, None, None, None)


def alert(**changes):
    given = {
        "kind": "silence",
        "scope": "project",
        "region": None,
        "service": None,
        "project": "atrium",
        "measure": "events",
    }
    figures = {"start_ms": 60_000, "raised_ms": 120_000, "until_ms": 180_000, "end_ms": None}
    counts = {"observed": 0.0, "expected": 90.0, "lower": 60.0, "upper": 120.0}
    return AlertRecord(**{"id": "a", **given, **figures, **counts, **changes})


def state_of_ent(picture, catalog, code="atrium"):
    return next(row["state"] for row in board(picture, FRANCE, catalog)["projects"] if row["code"] == code)


def test_an_ent_that_is_quiet_when_nobody_is_about_is_not_mute(picture, catalog):
    assert state_of_ent(picture, catalog) == "muet"
    quiet = replace(picture, project_hopes={"atrium": Hope(0.3, 0.0)})
    assert state_of_ent(quiet, catalog) == "calme"
    assert state_of_ent(replace(quiet, book=AlertBook(1, (alert(),))), catalog) == "muet"
    assert state_of_ent(replace(picture, book=AlertBook(1, (alert(planned="mise à jour"),))), catalog) == "prevu"


def test_an_ent_with_an_alert_is_not_called_normal(picture, catalog):
    def state(**changes):
        shown = board(replace(picture, book=AlertBook(1, (alert(project="mbn", **changes),))), FRANCE, catalog)
        return next(row["state"] for row in shown["projects"] if row["code"] == "mbn")

    assert state(kind="surge") == "hausse"
    assert state(kind="drop") == "baisse"
    assert state(kind="surge", planned="maintenance") == "normal"
    assert state(kind="surge", end_ms=1) == "normal"


def test_what_nobody_judges_says_why(picture, catalog):
    def say(scope, **changes):
        return told(sources(catalog, lambda *_: []), replace(picture, **changes), scope, GRID)

    assert "détecteur se prépare" in say(FRANCE).note
    assert "aucun jour comparable" in say(FRANCE, judged_to=10).note
    assert "pas par académie" in say(Scope("academy", "12"), judged_to=10).note
    assert "aucun jour comparable" in say(Scope("france", "", "PAGE_ENT"), judged_to=10).note
    assert say(FRANCE).incidents is None
