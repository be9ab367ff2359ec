"""Writes Grafana's boards from deploy/grafana/boards; `--check` only says whether they are current."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "deploy" / "grafana"))
from boards import DIRECTORY, boards


def main() -> int:
    """Write, or say what is not current."""
    made = boards()
    held = {path.name: path.read_text() for path in DIRECTORY.glob("*.json")}
    if made == held:
        return 0
    if "--check" in sys.argv:
        print("deploy/grafana/dashboards is not current: write it with `make boards`")  # noqa: T201
        return 1
    for name in held.keys() - made.keys():
        (DIRECTORY / name).unlink()
    for name, text in made.items():
        (DIRECTORY / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
