"""Planned stops: what the file may say, what it must not, and whom a stop covers."""

import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from streams.catalog import load_catalog
from streams.errors import SettingsError
from streams.observe.maintenances_file import load_maintenances
from streams.settings import default_config_dir
from streams.watch import AlertKind, AlertScope, Maintenance, planned_because
from streams.watch.maintenances import GRACE_MINUTES

CATALOG = load_catalog(default_config_dir())
FIRST = int(datetime.datetime(2026, 10, 3, 22, tzinfo=ZoneInfo("Europe/Paris")).timestamp()) // 60
NIGHT = Maintenance(FIRST, FIRST + 480, "bascule", projects=("mbn",))


def read(tmp_path: Path, text: str) -> tuple[Maintenance, ...]:
    (tmp_path / "maintenances.yaml").write_text(text)
    return load_maintenances(tmp_path, CATALOG)


def test_the_shipped_file_and_none_at_all_are_read(tmp_path: Path) -> None:
    assert isinstance(load_maintenances(default_config_dir(), CATALOG), tuple)
    assert load_maintenances(tmp_path, CATALOG) == ()


def test_times_are_those_of_paris(tmp_path: Path) -> None:
    text = (
        'maintenances:\n- {first: 2026-10-03 22:00:00, last: 2026-10-04 06:00:00, label: "bascule", projects: [mbn]}\n'
    )
    assert read(tmp_path, text) == (NIGHT,)


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    text = """maintenances:
- {first: 2026-10-04 06:00:00, last: 2026-10-03 22:00:00, label: rückwärts, projects: [nobody]}
- {first: 2026-10-03 22:00:00, last: 2026-10-04 06:00:00, label: leer}
- {first: 2026-10-03 22:00:00+02:00, last: 2026-10-04 06:00:00+02:00, label: zone, regions: ["44"]}
- {first: 2026-10-03 22:00:00+02:00, last: 2026-10-04 06:00:00, label: half, regions: ["44"]}
"""
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)
    said = str(raised.value)
    assert said.startswith("5 problem(s) in")
    for part in (
        "must lie before",
        "'nobody' is not in projects.yaml",
        "leer: name projects",
        "write them without an offset",
    ):
        assert part in said


@pytest.mark.parametrize("text", ["maintenances: 7", "maintenances: [{label: x}]", "stops: []"])
def test_what_is_no_list_of_stops_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="the head of the file shows how an entry looks"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("kind", "scope", "region", "start", "until", "planned"),
    [
        (AlertKind.SILENCE, AlertScope(project="mbn"), "44", FIRST, FIRST + 60, True),
        (AlertKind.DROP, AlertScope(project="mbn"), "44", FIRST + 3, FIRST + 480 + GRACE_MINUTES, True),
        (AlertKind.SURGE, AlertScope(project="mbn"), "44", FIRST, FIRST + 60, False),  # nobody plans a rush
        (AlertKind.SILENCE, AlertScope(project="mbn"), "44", FIRST - 1, FIRST + 60, False),  # it began before
        (
            AlertKind.SILENCE,
            AlertScope(project="mbn"),
            "44",
            FIRST,
            FIRST + 481 + GRACE_MINUTES,
            False,
        ),  # it did not come back
        (AlertKind.SILENCE, AlertScope(project="ent77"), "11", FIRST, FIRST + 60, False),
        (AlertKind.SILENCE, AlertScope(region="44"), "44", FIRST, FIRST + 60, False),
    ],
)
def test_a_stop_covers_its_scope_in_its_time(
    kind: AlertKind, scope: AlertScope, region: str, start: int, until: int, planned: bool
) -> None:
    assert (planned_because([NIGHT], kind, start, until=until, scope=scope, region=region) == "bascule") is planned


def test_a_region_stands_for_its_services_and_projects_and_a_service_for_itself() -> None:
    region, service = Maintenance(0, 100, "r", regions=("44",)), Maintenance(0, 100, "s", services=("NOTES",))
    assert region.covers(AlertScope(region="44"), "44")
    assert region.covers(AlertScope(region="44", service="NOTES"), "44")
    assert region.covers(AlertScope(project="mbn"), "44")
    assert not region.covers(AlertScope(), None)
    assert service.covers(AlertScope(region="44", service="NOTES"), "44")
    assert not service.covers(AlertScope(region="44"), "44")
    assert not Maintenance(0, 100, "s", regions=("11",), services=("NOTES",)).covers(AlertScope("44", "NOTES"), "44")
