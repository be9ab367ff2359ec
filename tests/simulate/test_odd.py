"""Broken events are rejected for the reason that the truth says, unknown codes are unknown."""

import json
import random

import orjson
import pytest

from streams.catalog import load_catalog
from streams.events import EventBounds, Reason, validate
from streams.settings import default_config_dir
from streams.simulate import step
from streams.simulate.step import Cells, CountedPlace

EVENT: step.Members = {
    "v": 1,
    "id": "run-1",
    "ts": 1_795_622_400_000,
    "project": "mbn",
    "uai": "0541234Y",
    "service": "CAHIER_TEXTES",
    "profile": "ELEVE",
    "visitor": "dc2871dfa9c24679e9d5107c",
}


@pytest.mark.parametrize("number", range(len(step.BROKEN_ANYHOW)))
def test_each_broken_event_is_rejected_for_its_reason(number: int) -> None:
    reason, change = step.BROKEN_ANYHOW[number]
    assert not isinstance(validate(orjson.dumps(EVENT), EVENT["ts"], EventBounds()), Reason)  # type: ignore[arg-type]
    for seed in range(40):
        value = change(dict(EVENT), random.Random(seed))
        assert validate(value, EVENT["ts"], EventBounds()) is reason  # type: ignore[arg-type]


def test_broken_lines_of_a_file_are_json_objects_of_many_reasons() -> None:
    for _reason, change in step.BROKEN_OBJECTS:
        for seed in range(10):
            value = change(dict(EVENT), random.Random(seed))
            assert isinstance(json.loads(value), dict)
            assert b"\n" not in value
    of_values = set(Reason) - {
        Reason.TOO_OLD,
        Reason.TOO_FAR_AHEAD,
        Reason.CORRUPT,
        Reason.OTHER_PROJECT,
        Reason.NOT_PSEUDONYMOUS,
    }
    assert {reason for reason, _change in step.BROKEN_ANYHOW} == of_values


def test_unknown_values_count_where_the_chain_counts_them() -> None:
    catalog = load_catalog(default_config_dir())
    place = CountedPlace("44", "12", "mbn")
    kinds = set()
    for seed in range(400):
        members, counted, profile, service = step.make_unknown(
            EVENT, place, "ELEVE", "CAHIER_TEXTES", random.Random(seed)
        )
        region, academy = catalog.uai_index[members.get("uai")]  # type: ignore[index]
        assert (counted.region, counted.academy) == (region, academy)
        for name, code, codes in (
            ("project", counted.project, catalog.project_codes),
            ("profile", profile, catalog.profile_codes),
            ("service", service, catalog.service_codes),
        ):
            sent = members.get(name)
            assert code == (sent if sent in codes else "INCONNU")
        kinds.add((region, counted.project, profile, service))
    assert len(kinds) == 4
    assert ("44", "mbn", "ELEVE", "CAHIER_TEXTES") not in kinds


def test_cells_are_named_back() -> None:
    cells = Cells(("ELEVE", "PARENT"), ("A", "B", "C"))
    places = [
        CountedPlace("44", "12", "mbn"),
        CountedPlace("11", "01", "pcn"),
        CountedPlace("INCONNU", "INCONNU", "mbn"),
    ]
    numbers = {
        cells.number(place, profile, service): (place, profile, service)
        for place in places
        for profile in cells.profiles
        for service in cells.services
    }
    assert len(numbers) == 3 * 3 * 4
    assert all(cells.names(number) == names for number, names in numbers.items())
    assert cells.number(places[1], "PARENT") + 2 == cells.number(places[1], "PARENT", "C")
