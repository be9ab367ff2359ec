"""The tutorial's commands do what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_first_alert_is_told_as_the_tutorial_shows_it(tmp_path: Path) -> None:
    text = (ROOT / "docs/tutorial/first-alert.md").read_text()
    commands = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0]
    programs = {"vigie": f"{sys.executable} -m streams", "python": sys.executable}
    own = re.sub(r"\.venv/bin/(\w+)", lambda found: programs[found[1]], commands)
    assert own != commands
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-ec", own], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rehearsal.html").stat().st_size > 10_000
    told = [line.split()[:5] for line in done.stdout.splitlines() if re.match("surge|drop|silence", line)]
    shown = [line.split()[:5] for line in re.findall(r"^(?:surge|drop|silence).*$", text, re.MULTILINE)]
    assert [row for row in told if row[0] == "surge"] == [row for row in shown if row[0] == "surge"]
    assert all("learning" in line for line in done.stdout.splitlines() if line.startswith("drop"))
