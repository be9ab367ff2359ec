"""The samples of tests/data and what must become of them."""

from dataclasses import dataclass
from pathlib import Path

import yaml

DATA = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True)
class Sample:
    """One sample: `counts` are region -> service -> events, repeats of an id removed."""

    path: Path
    options: list[str]
    sent: int
    skipped: dict[str, int]
    unreadable: int
    duplicates: int
    rejected: dict[str, int]
    counts: dict[str, dict[str, int]]
    projects: dict[str, int]
    visitors: int


def samples() -> list[Sample]:
    """All of them."""
    document = yaml.safe_load((DATA / "expected.yaml").read_text())
    return [Sample(DATA / name, **expected) for name, expected in document.items()]
