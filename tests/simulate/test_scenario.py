"""The configuration of scenarios: what ships is right, what is wrong is said all at once."""

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from streams.catalog import load_catalog
from streams.clock import PARIS
from streams.errors import InputError, SettingsError
from streams.load_shape import load_shape
from streams.settings import default_config_dir
from streams.simulate.inputs import Configuration
from streams.simulate.scenario import load_scenarios


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copytree(default_config_dir(), tmp_path / "config"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_three_days(configurations: dict[str, Configuration]) -> None:
    found = {name: c.scenario for name, c in configurations.items()}
    assert [f"{found[n].date:%a %Y-%m-%d}" for n in ("ordinary", "rentree", "storm")] == [
        "Tue 2026-09-22",
        "Tue 2026-09-01",
        "Mon 2026-03-16",
    ]
    for scenario in found.values():
        local = datetime.fromtimestamp(scenario.live_from_s, PARIS)
        assert (local.date(), local.hour, local.minute) == (scenario.date, 7, 47)
    assert [found[n].login_storm_multiplier for n in ("ordinary", "rentree", "storm")] == [1.0, 1.5, 3.0]


def test_an_unknown_scenario_lists_those_there_are(configurations: dict[str, Configuration]) -> None:
    with pytest.raises(InputError, match="choose one of ordinary, rentree, storm"):
        load_scenarios(default_config_dir()).get("rentré")


def test_all_problems_of_the_file_are_said_at_once(config: Path) -> None:
    path = config / "scenarios.yaml"
    edit(path, "broken_share: 0.001", "broken_share: 1.7")
    edit(path, "date: 2026-09-01", "date: septembre")
    edit(path, "    day: lockdown\n", "")
    with pytest.raises(SettingsError) as caught:
        load_scenarios(config)
    text = str(caught.value)
    assert "3 problem(s)" in text
    assert "traffic: " in text
    assert "broken_share" in text
    assert "scenarios.rentree: " in text
    assert "scenarios.storm: " in text
    assert "`day`" in text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("repeat_delay_seconds_max: 8", "repeat_delay_seconds_max: 12", "would be late"),
        ("  delayed_share: 0.010\n", "", "delayed_share"),
        ('live_from: "07:47"', "live_from: 7:47", "live_from"),
        ("  repeat_share:", "  repeat_shares: 0.1\n  repeat_share:", "repeat_shares"),
        ("scenarios:\n", "scenario:\n", "needs a non-empty mapping under `scenarios:`"),
    ],
)
def test_one_problem_is_named(config: Path, old: str, new: str, said: str) -> None:
    edit(config / "scenarios.yaml", old, new)
    with pytest.raises(SettingsError, match=said):
        load_scenarios(config)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[0.004, ", "[", "hourly_local"),
        ("VISIOCONFERENCE: 20.0", "VISIO: 20.0", "VISIO is not in services.yaml"),
        ("sun: 0.55", "son: 0.55", "weekday"),
        ("d0: 2.0, ", "", "d0 is missing"),
        ("load_shape:", "loadshape:", "load_shape"),
    ],
)
def test_a_load_shape_that_cannot_be_used_is_named(config: Path, old: str, new: str, said: str) -> None:
    edit(config / "load_shape.yaml", old, new)
    with pytest.raises(SettingsError, match=said):
        load_shape(config, load_catalog(config))


def test_a_date_that_does_not_exist(config: Path) -> None:
    edit(config / "scenarios.yaml", "date: 2026-09-01", "date: 2026-09-31")
    with pytest.raises(SettingsError, match=r"scenarios\.yaml cannot be read: day is out of range"):
        load_scenarios(config)


def test_missing_file(config: Path) -> None:
    (config / "scenarios.yaml").unlink()
    with pytest.raises(SettingsError, match=r"scenarios\.yaml is missing"):
        load_scenarios(config)


@pytest.mark.parametrize("options", [{"scale": 0.0}, {"scale": 11.0}, {"run": ""}, {"run": "a b"}, {"run": "x" * 41}])
def test_a_plan_refuses_what_cannot_be(options: dict[str, object], configurations: dict[str, Configuration]) -> None:
    given = {"seed": 1, "scale": 1.0, "first_s": 0, "shift_seconds": 0, "run": "r", **options}
    with pytest.raises(InputError, match="--"):
        configurations["rentree"].plan(**given)  # type: ignore[arg-type]
