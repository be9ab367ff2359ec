"""A viewer of some regions sees their academies, ENT, rows and alerts, and nothing of the whole country."""

import dataclasses

import pytest
from msgspec.structs import replace

from streams.access import ANYBODY, AccessScope, Viewer
from streams.catalog import UNKNOWN, load_catalog
from streams.expose.minutes_query import GROUPINGS
from streams.expose.scope import FRANCE, OutOfSight, Scope, Sight
from streams.expose.unseen_rows import UnseenRow, shape, shaped
from streams.incidents import AlertBook, AlertRecord
from streams.settings import default_config_dir
from streams.watch import AlertScope

CATALOG = load_catalog(default_config_dir())
READ = frozenset((AccessScope.READ,))
EAST = Sight(Viewer("Nancy", READ, frozenset(("44",))), CATALOG)
WHOLE = Sight(Viewer("Paris", READ), CATALOG)
NOWHERE = Sight(Viewer("nobody's", READ, frozenset()), CATALOG)
ALERT = AlertRecord(
    id="a", kind="surge", scope="region", region="44", service=None, project=None, measure="visits", start_ms=0, raised_ms=0, until_ms=0,
    end_ms=None, observed=2.0, expected=1.0, lower=0.5, upper=1.5, learning=False, planned=None, drivers=(),
)  # fmt: skip


def codes(sight: Sight, by: str, member: str, given: list[str]) -> list[str]:
    """Which of these codes' rows are seen."""
    is_seen = sight.rows(GROUPINGS[by])
    return given if is_seen is None else [code for code in given if is_seen({member: code})]


def test_rows_are_those_of_the_regions() -> None:
    for by in ("region", "region,service", "profile,region"):
        assert codes(EAST, by, "region", ["44", "75", "99", UNKNOWN]) == ["44"]
    assert codes(EAST, "academy", "academy", ["12", "15", "04", UNKNOWN]) == ["12", "15"]
    assert codes(EAST, "project", "project", ["mbn", "lycee_connecte", UNKNOWN]) == ["mbn"]
    for by in ("none", "service", "profile"):
        with pytest.raises(OutOfSight, match="region=44"):
            EAST.rows(GROUPINGS[by])
    for by in GROUPINGS:
        assert WHOLE.rows(GROUPINGS[by]) is None


def test_alerts_are_those_of_the_regions_and_their_ent() -> None:
    given = [
        ALERT,
        replace(ALERT, id="b", region="75"),
        replace(ALERT, id="c", region=None, scope="national"),
        replace(ALERT, id="d", region=None, scope="project", project="mbn"),
        replace(ALERT, id="e", region=None, scope="project", project="lycee_connecte"),
        replace(ALERT, id="f", region=None, scope="project", project="nobody knows it"),
    ]
    book = AlertBook(7, tuple(given))
    assert [one.id for one in EAST.book(book).alerts] == ["a", "d"]
    assert EAST.book(book).judged_minute == 7
    assert WHOLE.book(book) is book
    assert NOWHERE.book(book).alerts == ()


@pytest.mark.parametrize(
    "place",
    [
        FRANCE,
        Scope("region", "75"),
        Scope("academy", "04"),
        Scope("project", "lycee_connecte"),
        AlertScope(),
        AlertScope(service="NOTES"),
        AlertScope(project="lycee_connecte"),
        Scope("region", UNKNOWN),
    ],
)
def test_places_elsewhere_are_refused_with_what_to_ask_for(place: Scope | AlertScope) -> None:
    with pytest.raises(OutOfSight, match="region=44"):
        EAST.hold(place)
    WHOLE.hold(place)


def test_own_places_and_the_whole_country() -> None:
    for place in (
        Scope("region", "44"),
        Scope("academy", "12"),
        Scope("project", "mbn"),
        AlertScope("44"),
        AlertScope(project="mbn"),
    ):
        EAST.hold(place)
    with pytest.raises(OutOfSight):
        EAST.hold_whole()
    WHOLE.hold_whole()
    Sight(ANYBODY, CATALOG).hold_whole()
    with pytest.raises(OutOfSight, match="no region"):
        NOWHERE.hold(Scope("region", "44"))


def test_values_that_were_sent_are_shown_by_their_shape() -> None:
    assert shape("CAHIER_TEXTE") == "CAHIER_TEXTE"
    assert shape("0541234Z") == "0541234Z"
    assert shape("/eleve/Amélie-DUPONT/2011-04-02/notes?token=abc") == "/eleve/…"
    assert shape("https://ent.example.org/eleve/1") == "https://…"
    assert shape("Amélie Dupont") == "… (13 characters)"
    assert shape("amelie.dupont@example.org") == "… (25 characters)"
    for name in ("Amelie-DUPONT", "AmelieDupont", "amelie_dupont", "adupont"):
        assert shape(name) == f"… ({len(name)} characters)"


def test_codes_that_were_nearly_right_and_names_of_projects_are_shown() -> None:
    row = UnseenRow("service", "Notes", 3, None, False, "NOTES")
    assert shaped(row) == row
    assert shaped(dataclasses.replace(row, meant=None)).value == "… (5 characters)"
    project = UnseenRow("project", "ent-nouveau", 3, None, False, None)
    assert shaped(project) == project
    assert shaped(dataclasses.replace(project, value="/eleve/Amelie")).value == "/eleve/…"
