"""The files of `config/` as editors, exports and accidents leave them: read as they look, or refused with the line."""

import contextlib
import datetime
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.catalog import Catalog, load_catalog
from streams.errors import SettingsError
from streams.history import load_calendar
from streams.load_shape import load_shape
from streams.observe.maintenances_file import load_maintenances
from streams.publish.emitter_tables import combined_tables, entcore_tables, xiti_tables
from streams.settings import default_config_dir
from streams.simulate.levels import load_past
from streams.simulate.scenario import load_scenarios
from streams.yaml_file import BYTES_MAX, read_mapping
from tests.csv_forms import EXAMPLES, edits


def read(path: Path, text: str | bytes) -> dict[str, Any]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_mapping(path)


def test_plain_values_are_what_they_look_like(tmp_path: Path) -> None:
    text = """\ufeff
codes: [01, 08, 010, NO, on, Yes, y, ~, null, 0x1F, 1_000, 1:30, +5, .5, 5., .inf, .nan, 1e999, =, 2026-09-01, 2026-09-01 07:50, "12", '']
numbers: [0, -1, 12, 0.5, -2.25, 1e3, 12.0]
01: zero, one
on: 'a'
"""
    assert read(tmp_path / "x.yaml", text) == {
        "codes": [
            *("01", "08", "010", "NO", "on", "Yes", "y", None, None, "0x1F", "1_000", "1:30", "+5", ".5", "5.", ".inf", ".nan", "1e999"),
            *("=", "2026-09-01", "2026-09-01 07:50", "12", ""),
        ],
        "numbers": [0, -1, 12, 0.5, -2.25, 1000.0, 12.0],
        "01": "zero, one",
        "on": "a",
    }  # fmt: skip
    assert read(tmp_path / "x.yaml", "# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: " + "[" * 50_000, "nested deeper than 20, line 2"),
        ("a: 1\nb: " + "{a: " * 50_000, "nested deeper than 20, line 2"),
        ("".join(" " * level + "a:\n" for level in range(2000)), "nested deeper than 20, line 21"),
        ("a: 1\n\n# a\nb: 2\na: 3\n", "'a' is told twice, line 5"),
        ("a: {b: 1, 'b': 2}\n", "'b' is told twice, line 1"),
        ("a: &x [1]\n", "anchors and aliases (& and *) are not read, line 1"),
        ("a: 1\nb: *x\n", "anchors and aliases (& and *) are not read, line 2"),
        ("a: 1\nb: !!python/object/apply:os.system [true]\n", "tags (tag:yaml.org,2002:python/object/apply:os.system) are not re"),
        ("a: 1\n\tb: 2\n", "line 2"),
        ("a: 1\n---\nb: 2\n", "more than one document"),
        ("a: 1\n? [x]\n: 2\n", "a list or mapping where a name was expected, line 2"),
        ("a: 1\nb: 2026-02-30\n", "day is out of range for month: 2026-02-30, line 2"),
        ("a: 1\nb: [1\n", "line 3"),
        ("a: 1\nb: 'x\n", "line 2"),
        ("- a\n", "Expected `object`"),
        ("a", "Expected `object`"),
        ("a: 1\nb: \x07\n", "it holds the character '\\x07', line 2"),
        (b"a: 1\nb: \xe9\n", "it is not in UTF-8, line 2"),
        ("a: 1\n".encode("utf-16"), "it is not in UTF-8, line 1"),
        (b"#" * (BYTES_MAX + 1), "more than 16,777,216 bytes"),
    ],
)  # fmt: skip
def test_what_could_mean_something_else_is_refused_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(SettingsError, match=r"x\.yaml cannot be read: ") as caught:
        read(tmp_path / "x.yaml", text)
    assert said in str(caught.value)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is missing"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(SettingsError, match="Is a directory"):
        read_mapping(tmp_path)


Reader = Callable[[Path, Catalog], object]
READERS: dict[str, Reader] = {
    "regions.yaml": lambda config, _: load_catalog(config),
    "services.yaml": lambda config, _: load_catalog(config),
    "profiles.yaml": lambda config, _: load_catalog(config),
    "projects.yaml": lambda config, _: load_catalog(config),
    "entcore.yaml": lambda config, catalog: entcore_tables(config, catalog, "mbn"),
    "xiti.yaml": lambda config, catalog: xiti_tables(config, catalog),
    "combined.yaml": lambda config, catalog: combined_tables(config, catalog),
    "calendar.yaml": lambda config, catalog: load_calendar(config, catalog),
    "calendar_overrides.yaml": lambda config, catalog: load_calendar(config, catalog),
    "maintenances.yaml": lambda config, catalog: load_maintenances(config, catalog),
    "load_shape.yaml": lambda config, catalog: load_shape(config, catalog),
    "scenarios.yaml": lambda config, catalog: (load_scenarios(config), load_past(config, catalog)),
}


def without_comments(name: str) -> bytes:
    text = (default_config_dir() / name).read_text()
    if name in ("maintenances.yaml", "calendar_overrides.yaml"):  # what they show as not in force, in force
        shown = re.findall(r"^#   (- first.*|- zone.*|  .*)$", text, re.MULTILINE)
        text = ("maintenances:\n" if name[0] == "m" else "school_years:\n") + "\n".join("  " + line for line in shown)
    return re.sub(r"(?m)^\s*#.*\n|\s+#.*$", "", text).encode()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `config/`."""
    copy = tmp_path_factory.mktemp("lists") / "config"
    shutil.copytree(default_config_dir(), copy)
    return copy


def plain(value: Any, read: Any) -> Any:
    """What PyYAML takes for texts alone, as numbers and None where Vigie does."""
    if isinstance(value, dict):
        return {key: plain(one, read.get(key)) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one, ours) for one, ours in zip(value, read, strict=True)]
    if read is None:
        assert value in ("", "~", "null")
        return None
    return type(read)(value)


@pytest.mark.parametrize("name", READERS)
@settings(EXAMPLES, max_examples=40)
@given(data=st.data())
def test_any_edit_of_a_list_is_read_as_it_is_written_or_refused(
    config: Path, catalog: Catalog, name: str, data: st.DataObject
) -> None:
    good = without_comments(name)
    path = config / name
    try:
        edited = data.draw(edits(good))
        path.write_bytes(edited)
        try:
            found = read_mapping(path)
        except SettingsError:
            return
        assert plain(yaml.load(edited, yaml.CBaseLoader) or {}, found) == found
        with contextlib.suppress(SettingsError):
            READERS[name](config, catalog)
    finally:
        path.write_bytes(good)


def with_line(config: Path, name: str, old: str, new: str) -> Path:
    text = (default_config_dir() / name).read_text()
    assert old in text
    (config / name).write_text(text.replace(old, new))
    return config


def test_codes_need_no_quotes(tmp_path: Path, catalog: Catalog) -> None:
    shutil.copytree(default_config_dir(), tmp_path / "config")
    config = with_line(
        tmp_path / "config", "projects.yaml", 'region: "93", departements: ["06"]', "region: 93, departements: [06]"
    )
    text = (config / "regions.yaml").read_text()
    (config / "regions.yaml").write_text(
        text.replace('code: "01"', "code: 01").replace('departements: ["08", ', "departements: [08, ")
    )
    assert load_catalog(config) == load_catalog(default_config_dir())
    (config / "maintenances.yaml").write_text(
        'maintenances: [{first: 2026-12-05 20:00:00, last: 2026-12-06T06:00:00, label: NO, regions: [04, "44"]}]'
    )
    (stop,) = load_maintenances(config, catalog)
    assert (stop.label, stop.regions) == ("NO", ("04", "44"))
    assert datetime.timedelta(minutes=stop.end - stop.first) == datetime.timedelta(hours=10)


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("projects.yaml", "departements:", "departement:", "(moncollege95): departement: no such member"),
        ("projects.yaml", 'departements: ["95"]', "departements: 95", "(moncollege95): expected a list of quoted codes"),
        ("projects.yaml", "{id: mbn,", "{id: mbn, expected_since: 01/09/2026,", "(mbn): expected_since: '01/09/2026' is not a date"),
        ("projects.yaml", "projects:\n", "projets: []\nprojects:\n", "projects.yaml: projets: no such list"),
        ("services.yaml", "weight: 0.360", "weight: 1_000", "weight: '1_000' is no number"),
        ("services.yaml", "weight: 0.360", "weight: .inf", "weight: '.inf' is no number"),
        ("services.yaml", "weight: 0.360", "weight: -1", "weight: -1 is no number"),
        ("profiles.yaml", "column: eleve", "colonne: eleve", "(ELEVE): colonne: no such member"),
        ("regions.yaml", "tz: America/Guadeloupe", "tz: America/Gwada", "tz: 'America/Gwada' is no time zone"),
        ("regions.yaml", 'departements: ["971"]}', 'departement: ["971"]}', "departement: no such member"),
        ("entcore.yaml", "modules:", "module:", "module: no such member (modules, projects)"),
        ("entcore.yaml", "structures:", "structure:", "enthdf: structure: no such member"),
        ("xiti.yaml", 'ids: ["12"]', 'ids: "12"', "mbn: ids: must be a list"),
        ("xiti.yaml", "    establishments: {\"54\": 0951104J}", "    uais: {}", "moncollege95: uais: no such member"),
        ("combined.yaml", "project: pcn, uai: 0750711R, service: PAGE_ENT", "project: pcn, UAI: 0750711R, service: PAGE_ENT", "UAI: no"),
        ("combined.yaml", "ignored: [.css,", "ignorés: [.css,", "ignorés: no such member"),
        ("services.yaml", "column: notes", "column: [notes]", "(NOTES): column: ['notes'] is no single value"),
        ("services.yaml", "column: notes", "column: absences", "column absences is listed twice"),
        ("services.yaml", "column: notes", 'column: ""', "(NOTES): column: '' is no text"),
        ("services.yaml", 'label: "Notes"', "label: ", "(NOTES): label: None is no text"),
        ("profiles.yaml", "entcore: Student", "entcore: [Student, Guest]", "(ELEVE): entcore: ['Student', 'Guest']"),
        ("projects.yaml", "id: mbn", "id: null", "id: None is no text"),
        ("regions.yaml", 'name: "Corse"', "name: {fr: Corse}", "(94): name: {'fr': 'Corse'} is no single value"),
    ],
)  # fmt: skip
def test_what_a_list_may_not_hold_is_refused(
    tmp_path: Path, catalog: Catalog, name: str, old: str, new: str, said: str
) -> None:
    shutil.copytree(default_config_dir(), tmp_path / "config")
    config = with_line(tmp_path / "config", name, old, new)
    with pytest.raises(SettingsError, match=re.escape(name)) as caught:
        READERS[name](config, catalog)
    assert said in str(caught.value)
