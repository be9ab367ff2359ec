"""Who has taken an incident in charge: silences are read as Alertmanager reads them."""

import pytest

from streams.incidents import Acknowledgement, Matcher, acknowledged, fold, matchers_of
from tests.incidents.storms import MINUTE_MS, alert

REGIONS = {"mbn": "44"}


def taken(one, *silences):
    (incident,) = fold([one], REGIONS, 1_010 * MINUTE_MS)
    known = [Acknowledgement(str(number), 1_000 + number, "", tuple(found)) for number, found in enumerate(silences)]
    found = acknowledged(incident, known, REGIONS)
    return None if found is None else found.by


EAST, MBN = alert("region", region="44"), alert("project", "silence", project="mbn")


def test_what_the_command_sets_is_this_incident_and_no_other():
    for one in (EAST, MBN, alert(), alert("service", region="44", service="NOTES")):
        own = matchers_of(one, REGIONS)
        assert taken(one, own) == "0"
        others = (
            alert("region", "drop", region="44"),
            alert("region", region="11"),
            alert("service", region="44", service="ABSENCES"),
        )
        assert [taken(other, own) for other in others] == [None] * 3


@pytest.mark.parametrize(
    ("matchers", "is_taken"),
    [
        ([Matcher("alertname", "EntSurge")], True),
        ([Matcher("alertname", "Ent.+", is_regex=True), Matcher("region", "44")], True),
        ([Matcher("region", "4", is_regex=True)], False),  # a whole label, as in Alertmanager
        ([Matcher("region", "11", is_equal=False)], True),
        ([Matcher("region", "1.", is_regex=True, is_equal=False)], True),
        ([Matcher("team", "exploitation"), Matcher("severity", "critical")], True),
        ([Matcher("instance", "")], True),  # a label that it does not have
        ([Matcher("instance", "a")], False),
        ([Matcher("region", "(?<x>44", is_regex=True)], False),
        ([], False),
    ],
)
def test_matchers_mean_what_they_mean_to_alertmanager(matchers, is_taken):
    assert (taken(EAST, matchers) is not None) == is_taken


def test_the_longest_counts_and_an_ent_has_its_regions_label():
    assert taken(EAST, [Matcher("alertname", "EntSurge")], [Matcher("region", "44")]) == "1"
    assert taken(MBN, [Matcher("alertname", "EntSilence"), Matcher("region", "44"), Matcher("project", "mbn")]) == "0"
