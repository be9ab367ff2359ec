"""The lists: places of establishments, and clear errors for every mistake in a file."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.catalog import (
    UAI_MEMO_ENTRIES_MAX,
    UNKNOWN,
    Catalog,
    UaiIndex,
    control_letter,
    departement_of,
    load_catalog,
)
from streams.errors import SettingsError
from streams.settings import default_config_dir


def uai(digits: str) -> str:
    return digits + control_letter(digits)


@pytest.mark.parametrize(
    ("digits", "place"),
    [
        ("0541234", ("44", "12")),
        ("0750001", ("11", "01")),
        ("6200001", ("94", "27")),
        ("7200001", ("94", "27")),
        ("9710001", ("01", "32")),
        ("9740001", ("04", "28")),
        ("9750001", ("99", "44")),
        ("9770001", ("99", UNKNOWN)),
        ("9830002", ("99", "40")),
        ("9990001", (UNKNOWN, UNKNOWN)),
        ("0020001", ("32", "20")),
    ],
)
def test_place_comes_from_the_uai(catalog: Catalog, digits: str, place: tuple[str, str]) -> None:
    assert catalog.uai_index[uai(digits)] == place


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        "0541234",
        "0541234A",
        "0541234y",
        "541234Y",
        " 0541234Y",
        "0541234YY",
        "०५४१२३४Y",
        "054123４Y",
        "é" * 8,
    ],
)
def test_absent_malformed_or_wrong_control_letter_is_unknown(catalog: Catalog, bad: str | None) -> None:
    assert catalog.uai_index[bad] == (UNKNOWN, UNKNOWN)


def test_a_published_uai_has_the_letter_we_compute() -> None:
    # Lycée Henri-IV in Paris, Lycée La Pérouse in Nouméa: published numbers.
    assert departement_of("0750654D") == "75"
    assert departement_of("9830002K") == "983"


@given(st.text(max_size=10) | st.none())
def test_any_text_has_a_place(text: str | None) -> None:
    index = UaiIndex({"54": ("44", "12")})
    assert index[text] in {("44", "12"), (UNKNOWN, UNKNOWN)}


def test_the_memo_is_bounded() -> None:
    index = UaiIndex({})
    for number in range(UAI_MEMO_ENTRIES_MAX + 10):
        index[str(number)]
    assert len(index) <= UAI_MEMO_ENTRIES_MAX


def test_every_departement_of_france_has_a_region(catalog: Catalog) -> None:
    mainland = [f"{n:03d}" for n in range(1, 96) if n != 20] + ["620", "720", "971", "972", "973", "974", "976"]
    places = {prefix: catalog.uai_index[uai(prefix + "0001")] for prefix in mainland}
    assert UNKNOWN not in {region for region, _ in places.values()}
    assert UNKNOWN not in {academy for _, academy in places.values()}
    assert {region for region, _ in places.values()} == {r.code for r in catalog.regions} - {"99"}


def test_sizes(catalog: Catalog) -> None:
    assert (len(catalog.region_codes), len(catalog.service_codes), len(catalog.projects)) == (20, 27, 33)


def test_digest_changes_with_a_code_only(tmp_path: Path, catalog: Catalog) -> None:
    config = tmp_path / "config"
    shutil.copytree(default_config_dir(), config)
    services = config / "services.yaml"
    services.write_text(services.read_text().replace('label: "Notes"', 'label: "Les notes"'))
    assert load_catalog(config).digest == catalog.digest
    services.write_text(services.read_text().replace("code: NOTES", "code: NOTES_2").replace(" NOTES,", " NOTES_2,"))
    assert load_catalog(config).digest != catalog.digest


def test_all_problems_at_once(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(default_config_dir(), config)
    (config / "profiles.yaml").unlink()
    services = config / "services.yaml"
    services.write_text(services.read_text().replace("code: NOTES", "code: ABSENCES").replace('label: "Autre", ', ""))
    projects = config / "projects.yaml"
    projects.write_text(
        projects.read_text()
        .replace('region: "53"', 'region: "54"')
        .replace('departements: ["06"]', "departements: [6]")
    )
    regions = config / "regions.yaml"
    regions.write_text(regions.read_text().replace('"972"', '"971"'))
    with pytest.raises(SettingsError) as caught:
        load_catalog(config)
    message = str(caught.value)
    for part in (
        "profiles.yaml is missing",
        "code ABSENCES is listed twice",
        "(AUTRE): label is missing",
        "toutatice: region '54' is not in regions.yaml",
        "(agora06): expected a list of quoted codes",
        "departement 971 is listed twice",
    ):
        assert part in message, part


def test_not_yaml(tmp_path: Path) -> None:
    config = tmp_path / "config"
    shutil.copytree(default_config_dir(), config)
    (config / "services.yaml").write_text("services: [\n")
    with pytest.raises(SettingsError, match=r"(?s)services\.yaml cannot be read.*line"):
        load_catalog(config)
