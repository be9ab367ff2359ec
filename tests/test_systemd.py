"""deploy/systemd, as systemd itself reads it."""

import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from streams.errors import NameTaken

UNITS = Path(__file__).resolve().parent.parent / "deploy" / "systemd"
NAMES = ("vigie-observer.service", "vigie-worker@.service")
#: Of 100, as `systemd-analyze security` measures it: 96 is a unit without any of this.
EXPOSURE_MAX = 15

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here: Debian's package systemd has it"
)


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units with a program that is there in place of Vigie's."""
    found = []
    for name in NAMES:
        found.append(tmp_path / name)
        text = (UNITS / name).read_text()
        assert "/opt/vigie/bin/vigie" in text
        found[-1].write_text(text.replace("/opt/vigie/bin/vigie", "/bin/true"))
    assert {path.name for path in UNITS.iterdir()} == set(NAMES)
    return found


@needs_systemd
def test_systemd_takes_every_line(units: list[Path]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    units[0].write_text(units[0].read_text().replace("ProtectSystem=", "ProtectSystems="))
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert "ProtectSystems" in done.stderr


@needs_systemd
def test_units_may_do_nothing_that_they_need_not(units: list[Path]) -> None:
    for unit in units:
        command = [
            "systemd-analyze",
            "security",
            "--offline=true",
            f"--threshold={EXPOSURE_MAX}",
            "--no-pager",
            str(unit),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_restarts_and_stops_are_as_the_code_promises() -> None:
    for name, stop_seconds in (("vigie-worker@.service", 30), ("vigie-observer.service", 15)):
        unit = ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read(UNITS / name)
        service = unit["Service"]
        assert service["Restart"] == "always"
        assert int(service["TimeoutStopSec"]) == stop_seconds
        assert service.get("RestartPreventExitStatus", str(NameTaken.exit_code)) == str(NameTaken.exit_code)
    assert "RestartPreventExitStatus=6" in (UNITS / "vigie-worker@.service").read_text()
