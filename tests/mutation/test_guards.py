"""The list of guards is up to date, and docs/guarantees.md shows it. `make mutation` breaks each one."""

from pathlib import Path

import pytest

from tests.mutation.guard import Guard
from tests.mutation.guards import GUARDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_the_list_says(guard: Guard) -> None:
    text = (ROOT / guard.path).read_text()
    assert text.count(guard.old) == 1
    assert guard.old != guard.new
    assert all((ROOT / path.partition("::")[0]).exists() for path in guard.tests)
