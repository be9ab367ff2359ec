"""The table of counts that the detector judges: each count in its place, and France the sum of its regions."""

import numpy as np

from streams.catalog import load_catalog
from streams.history import load_calendar
from streams.history.day_columns import CutName, CutRows
from streams.observe.series import make_plan
from streams.settings import default_config_dir


def test_a_table_holds_each_count_and_france_is_the_sum_of_its_regions():
    catalog = load_catalog(default_config_dir())
    plan = make_plan(catalog, load_calendar(default_config_dir(), catalog))
    counts = {
        # A minute before and one behind the table; a region that no list holds counts for France alone.
        CutName.REGION: CutRows.of(
            [
                (("44",), 99, 9, 9, 0),
                (("44",), 103, 9, 9, 0),
                (("44",), 100, 5, 2, 0),
                (("11",), 100, 7, 3, 0),
                (("GONE",), 102, 4, 1, 0),
            ]
        ),
        CutName.REGION_SERVICE: CutRows.of([(("44", "NOTES"), 101, 6, 4, 0)]),
        CutName.PROJECT: CutRows.of([(("mbn",), 100, 8, 3, 0), (("mbn",), 102, 1, 1, 0)]),
    }
    table = plan.table(counts, 100, np.array([1.0, 1.0, 1.0]))
    expected = np.zeros((plan.rows, 3))
    expected[0], expected[1] = (12, 0, 4), (5, 0, 1)
    for key, column, values in (
        ((CutName.REGION, ("44",)), 0, (5, 0, 0)),
        ((CutName.REGION, ("44",)), 1, (2, 0, 0)),
        ((CutName.REGION, ("11",)), 0, (7, 0, 0)),
        ((CutName.REGION, ("11",)), 1, (3, 0, 0)),
        ((CutName.REGION_SERVICE, ("44", "NOTES")), 1, (0, 4, 0)),
        ((CutName.PROJECT, ("mbn",)), 0, (8, 0, 1)),
        ((CutName.PROJECT, ("mbn",)), 1, (3, 0, 1)),
    ):
        expected[plan.places[key][column]] = values
    assert np.array_equal(table, expected)
    unknown = plan.table(counts, 100, np.array([1.0, 0.0, 1.0]))
    assert np.isnan(unknown[:, 1]).all()
    assert np.array_equal(unknown[:, [0, 2]], expected[:, [0, 2]])
