"""What one ENT sends makes no repeat and no visit of another's: ids and visitors are remembered with the project as it was sent."""

import pytest

from streams.catalog import Catalog
from streams.count import Cut, Delta
from tests.count.test_counter import T0, batch, counter, value
from tests.plain import sums


def count(catalog: Catalog, values: list[bytes | None]) -> Delta:
    return counter(catalog).count([batch(0, T0, values)])


@pytest.mark.parametrize(
    ("one", "other"),
    [("mbn", "toutatice"), ("mbn", None), ("nope", "nope2"), ("MBN", "mbn"), ("nope", "")],
    ids=["listed", "none named", "both unlisted", "by case", "unlisted and empty"],
)
def test_the_ids_and_visitors_of_one_project_are_not_those_of_another(
    catalog: Catalog, one: str, other: str | None
) -> None:
    delta = count(catalog, [value(1, T0, project=one), value(1, T0, project=other)])
    assert delta.duplicates == 0
    assert sum(number for field, number in sums(delta).items() if field[0] == Cut.VISITS) == 2


def test_within_a_project_and_where_none_is_named_repeats_are_known(catalog: Catalog) -> None:
    for project in ("mbn", "nope", None):
        assert count(catalog, [value(1, T0, project=project)] * 2).duplicates == 1
    nowhere: list[bytes | None] = [value(1, T0), value(1, T0, project=None), value(1, T0, project="")]
    assert count(catalog, nowhere).duplicates == 2


def test_an_id_that_is_called_as_a_project_is_nothing_special(catalog: Catalog) -> None:
    """Hashes that were merely put over each other would cancel each other out."""
    names = ["mbn", "toutatice", "nope"]
    values = [value(1, T0, project=project, id=name, visitor=name) for project in names for name in names]
    delta = count(catalog, [*values])
    assert delta.duplicates == 0
    assert sum(number for field, number in sums(delta).items() if field[0] == Cut.VISITS) == len(names) ** 2
