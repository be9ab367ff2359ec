"""A user without a home, as containers have them: what needs none works, what does says so."""

import os
import pwd
from pathlib import Path

import pytest

from streams.errors import InputError, SettingsError
from streams.local.jars import cache_dir, kafka_jars
from streams.settings import default_data_dir, load_settings
from streams.stack_record import read_stack, stack_file


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No HOME, and a number that /etc/passwd does not know."""

    def unknown(_uid: int) -> pwd.struct_passwd:
        raise KeyError("getpwuid(): uid not found")

    for name in (
        "HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
        "VIGIE_STACK_FILE",
        "LOGNAME",
        "USER",
        "LNAME",
        "USERNAME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return monkeypatch


@pytest.mark.parametrize("home", [None, "relative"])
def test_without_a_home(homeless: pytest.MonkeyPatch, home: str | None) -> None:
    if home is not None:
        homeless.setenv("HOME", home)
    assert read_stack() is None
    assert load_settings().topic == "ent.visits"
    for directory, variable in (
        (stack_file, "XDG_STATE_HOME"),
        (default_data_dir, "XDG_DATA_HOME"),
        (cache_dir, "XDG_CACHE_HOME"),
    ):
        with pytest.raises(SettingsError, match=rf"^user {os.getuid()} has no home directory: set HOME or {variable} "):
            directory()


def test_one_variable_each_is_enough(homeless: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STATE", "DATA", "CACHE"):
        homeless.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    assert stack_file() == tmp_path / "STATE" / "vigie" / "stack.json"
    assert default_data_dir() == tmp_path / "DATA" / "vigie"
    assert cache_dir().parent == tmp_path / "CACHE" / "vigie"
    homeless.setenv("XDG_DATA_HOME", "relative")  # ignored, as XDG says
    homeless.setenv("HOME", str(tmp_path))
    assert default_data_dir() == tmp_path / ".local" / "share" / "vigie"


@pytest.mark.parametrize("base", ["/dev/null", "/proc/nothing"])
def test_a_home_that_cannot_be_written(homeless: pytest.MonkeyPatch, base: str) -> None:
    homeless.setenv("HOME", base)
    assert read_stack() is None
    with pytest.raises(InputError, match=rf"^{base}/.cache/vigie cannot be written .*set XDG_CACHE_HOME"):
        kafka_jars()
