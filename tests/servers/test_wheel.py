"""The wheel, installed into fresh environments as a person does it: the base alone is light and publishes; each extra does its job.

Needs the package index, as `make install` does. Versions are those of the lock.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.servers.conftest import Installation
from tests.servers.test_publish import records

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
#: What the base may hold beside Vigie; more is a decision (docs/decisions/0012-extras.md).
BASE_PACKAGES = {
    "annotated-types", "backports-zstd", "click", "crc32c", "kafka-python", "lz4", "msgspec", "orjson", "pydantic", "pydantic-core",
    "pydantic-settings", "python-dotenv", "pyyaml", "typing-extensions", "typing-inspection", "urllib3",
}  # fmt: skip
BASE_MIB_MAX = 45
VISITOR = "9f2c1e5b7a3d4860b1c2d3e4f5061728"


@dataclass(frozen=True, slots=True)
class Fresh:
    """A virtual environment with the wheel in it."""

    directory: Path

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, away from the checkout."""
        command = [str(self.directory / "bin" / arguments[0]), *arguments[1:]]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.directory, check=False, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place], cwd=ROOT, check=True)
    (found,) = place.glob("vigie-*.whl")
    lock = re.findall(r"^([a-z0-9.-]+==[^ ;\\]+)", (ROOT / "requirements.lock.txt").read_text(), re.MULTILINE)
    (place / "constraints.txt").write_text("\n".join(lock))
    return found


def installed(wheel: Path, extra: str, directory: Path) -> Fresh:
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    fresh = Fresh(directory)
    what = f"{wheel}[{extra}]" if extra else str(wheel)
    constraints = str(wheel.parent / "constraints.txt")
    done = fresh.run(
        "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:", "-c", constraints, what
    )
    assert done.returncode == 0, done.stderr
    return fresh


def test_the_base_is_light_publishes_and_says_what_the_rest_needs(
    wheel: Path, installation: Installation, tmp_path: Path
) -> None:
    fresh = installed(wheel, "", tmp_path / "venv")
    listed = orjson.loads(fresh.run("pip", "list", "--format", "json", "--disable-pip-version-check").stdout)
    names = {re.sub(r"[._]", "-", one["name"]).lower() for one in listed} - {"pip", "setuptools", "vigie"}
    assert names <= BASE_PACKAGES
    site = next((fresh.directory / "lib").glob("python3*/site-packages"))
    own = [path for path in site.iterdir() if path.name.partition("-")[0] not in ("pip", "setuptools", "pkg_resources")]
    size = sum(file.stat().st_size for path in own for file in [path, *path.rglob("*")] if file.is_file())
    assert size < BASE_MIB_MAX << 20

    environment = {**os.environ, **installation.environment}
    line = f'{{"v":1,"id":"w","ts":{time.time_ns() // 1_000_000},"visitor":"{VISITOR}","service":"NOTES","uai":"0541234Y"}}\n'
    done = fresh.run("vigie", "publish", "-", env=environment, input=line)
    assert (done.returncode, len(records(installation.settings))) == (0, 1), done.stderr
    log = '192.0.2.1 - 31415 [01/Sep/2026:08:00:00 +0200] "GET /messagerie HTTP/1.1" 200 12\n'
    dry = fresh.run("vigie", "publish", "--dry-run", "--format", "combined", "-", env=environment, input=log)
    assert dry.returncode in (0, 1), dry.stderr
    assert "Traceback" not in dry.stderr
    for command, extra in (
        ("minutes", "engine"),
        ("worker", "engine"),
        ("token", "engine"),
        ("report", "history"),
        ("up", "lab"),
    ):
        refused = fresh.run("vigie", command, env=environment)
        assert (refused.returncode, refused.stdout) == (2, ""), (command, refused.stderr)
        assert f"`vigie {command}` needs " in refused.stderr
        assert f"pip install 'vigie[{extra}]'" in refused.stderr


@pytest.mark.long
def test_the_engine_counts(wheel: Path, installation: Installation, tmp_path: Path) -> None:
    fresh = installed(wheel, "engine", tmp_path / "venv")
    environment = {**os.environ, **installation.environment}
    worker = subprocess.Popen([fresh.directory / "bin" / "vigie", "worker"], env=environment, cwd=tmp_path)
    try:
        line = f'{{"v":1,"id":"w","ts":{time.time_ns() // 1_000_000},"visitor":"{VISITOR}","service":"NOTES","uai":"0541234Y"}}\n'
        assert fresh.run("vigie", "publish", "-", env=environment, input=line).returncode == 0
        deadline = time.monotonic() + 90
        while not (said := fresh.run("vigie", "minutes", "--json", env=environment).stdout):
            assert time.monotonic() < deadline
            time.sleep(1)
        assert orjson.loads(said)["events"] == 1
        assert fresh.run("vigie", "serve", "--help").returncode == 0
    finally:
        worker.terminate()
        assert worker.wait(60) == 0


@pytest.mark.long
def test_history_imports_counts_and_rehearses_them(wheel: Path, tmp_path: Path) -> None:
    fresh = installed(wheel, "history", tmp_path / "venv")
    rows = "".join(
        f"2026-09-0{1 + n // 1440}T{n // 60 % 24:02}:{n % 60:02}:00Z,{40 + n % 7}\n" for n in range(2 * 1440)
    )
    (fresh.directory / "counts.csv").write_text("timestamp,count\n" + rows)
    done = fresh.run("vigie", "rehearse", "--counts", "counts.csv", "--calendar", "none", "--timezone", "UTC", "--json")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    report = fresh.run("vigie", "report", "--help")
    assert report.returncode == 0, report.stderr


@pytest.mark.long
def test_the_lab_simulates_days(wheel: Path, tmp_path: Path) -> None:
    fresh = installed(wheel, "lab", tmp_path / "venv")
    made = ("simulate", "--years", "0.02", "--until", "2026-02-02", "--scale", "0.01", "--archive", "past")
    done = fresh.run("vigie", *made)
    assert done.returncode == 0, done.stderr
    exported = fresh.run("vigie", "history", "export", "--archive", "past", "--help")
    assert exported.returncode == 0, exported.stderr
    assert fresh.run("vigie", "up", "--help").returncode == 0
