"""Break each guard in a copy of the repository and run its tests: every one must fail. Exit 1 where a broken guard goes unnoticed."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.guard import Guard
from tests.mutation.guards import GUARDS

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("streams", "tests", "config", "deploy", "bench", "pyproject.toml")


def broken(guard: Guard, copy: Path) -> bool:
    """Whether the guard's tests fail once it is broken; the copy is mended afterwards."""
    path = copy / guard.path
    text = path.read_text()
    if text.count(guard.old) != 1:
        raise SystemExit(
            f"{guard.name}: its text stands {text.count(guard.old)} times in {guard.path}; bring tests/mutation/guards.py up to date"
        )
    path.write_text(text.replace(guard.old, guard.new))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "--no-header",
        "-W",
        "ignore",
        *guard.tests,
    ]
    own = {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "PROVE_LONG": "1"}
    environment = {**os.environ, **own}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=900, check=False)
    path.write_text(text)
    if done.returncode not in (0, 1):
        raise SystemExit(
            f"{guard.name}: pytest ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.returncode == 1


def main() -> int:
    """Run all guards, or those whose name holds the first argument."""
    chosen = [guard for guard in GUARDS if len(sys.argv) < 2 or sys.argv[1] in guard.name]
    unnoticed = []
    with tempfile.TemporaryDirectory(prefix="vigie-mutation-") as name:
        copy = Path(name)
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__", "libs"))
            else:
                shutil.copy(source, copy / part)
        for number, guard in enumerate(chosen, 1):
            begun = time.monotonic()
            noticed = broken(guard, copy)
            print(
                f"{number:>2}/{len(chosen)} {'noticed' if noticed else 'UNNOTICED'} {time.monotonic() - begun:5.1f} s  {guard.name}",
                flush=True,
            )
            if not noticed:
                unnoticed.append(guard.name)
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} broken guards were noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
