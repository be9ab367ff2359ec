"""Which alert explains which others, and whether anybody is called."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.incidents import LEVELS, Driver, Quiet, fold, quiet_because
from streams.incidents.fold import HOLD_MINUTES, LEAD_MINUTES, TAIL_MINUTES
from tests.incidents.storms import MINUTE_MS, alert, storm

REGIONS = {"mbn": "44", "atrium": "93", "nobody": None}
NOW = 1_010


def folded(*alerts, now=NOW):
    return fold(alerts, REGIONS, now * MINUTE_MS)


def heads(*alerts, now=NOW):
    """Id of the alert that explains -> ids of what it explains, by the names before the time."""
    name = lambda one: one.id.rpartition(":")[0]  # noqa: E731
    return {name(found.alert): sorted(name(one) for one in found.explains) for found in folded(*alerts, now=now)}


FRANCE, EAST, NOTES = alert(), alert("region", region="44"), alert("service", region="44", service="NOTES")
MBN = alert("project", project="mbn", expected=600.0)


def test_a_storm_is_one_incident(catalog):
    found = fold(storm(catalog), {one.code: one.region for one in catalog.projects}, 0)
    assert [(one.id, len(one.explains), one.counts) for one in found] == [
        ("surge:all:60000000", 316, {"national": 0, "region": 13, "project": 13, "service": 290})
    ]
    assert (found[0].quiet, found[0].severity, found[0].called_before, found[0].apart) == (None, "critical", (), ())


def test_the_widest_explains_what_deviates_as_it_does():
    assert heads(NOTES, MBN, EAST, FRANCE) == {
        "surge:all": ["surge:project=mbn", "surge:region=44", "surge:region=44service=NOTES"]
    }
    assert heads(NOTES, MBN, EAST) == {"surge:region=44": ["surge:project=mbn", "surge:region=44service=NOTES"]}
    other = alert("service", region="11", service="NOTES")
    assert heads(NOTES, EAST, other) == {
        "surge:region=44": ["surge:region=44service=NOTES"],
        "surge:region=11service=NOTES": [],
    }


@pytest.mark.parametrize(
    ("wide", "narrow", "explained"),
    [("surge", "surge", True), ("drop", "drop", True), ("silence", "silence", True), ("silence", "drop", True),
     ("surge", "drop", False), ("drop", "surge", False), ("drop", "silence", False), ("surge", "never_seen", False),
     ("silence", "never_seen", False)],
)  # fmt: skip
def test_what_a_wide_alert_explains_depends_on_the_kind(wide, narrow, explained):
    found = folded(alert(kind=wide), alert("project", narrow, project="mbn"))
    assert len(found) == (1 if explained else 2)
    if not explained:
        assert found[0].apart == (found[1].id,)


def test_an_ent_that_makes_up_most_of_what_its_region_lacks_is_the_cause():
    def region(share):
        part = Driver(None, None, "mbn", 1000 - 600 * share, 1000.0, 1 - 0.6 * share)
        return alert("region", "drop", region="44", drivers=(part,))

    silent = alert("project", "silence", project="mbn")
    service = alert("service", "drop", region="44", service="NOTES", expected=900.0)
    assert heads(region(0.7), silent, service) == {
        "silence:project=mbn": ["drop:region=44", "drop:region=44service=NOTES"]
    }
    # A small ENT that is silent explains no drop of its whole region, and the drop explains no silence.
    assert heads(region(0.5), silent, service) == {
        "drop:region=44": ["drop:region=44service=NOTES"],
        "silence:project=mbn": [],
    }


def test_a_region_that_makes_up_most_of_france_is_the_cause_and_frances_alert_explains_nothing():
    part = Driver("44", None, None, 2500.0, 700.0, 3.571)
    france, other = alert(drivers=(part,)), alert("region", region="11")
    assert heads(france, EAST, other, NOTES) == {
        "surge:region=44": ["surge:all", "surge:region=44service=NOTES"],
        "surge:region=11": [],
    }


def test_an_ent_that_lacks_visits_explains_services_that_lack_fewer():
    silent = alert("project", "silence", project="mbn", expected=900.0)
    little = alert("service", "drop", region="44", service="NOTES", expected=1000.0)
    much = msgspec.structs.replace(little, expected=2000.0, observed=100.0)
    assert heads(silent, little) == {"silence:project=mbn": ["drop:region=44service=NOTES"]}
    assert len(heads(silent, much)) == 2


def test_what_is_left_of_a_wide_alert_that_is_over_is_a_part_of_it_for_a_while():
    over = msgspec.structs.replace(FRANCE, end_ms=NOW * MINUTE_MS, until_ms=NOW * MINUTE_MS)
    for minutes, parts in ((TAIL_MINUTES, 1), (TAIL_MINUTES + 1, 2)):
        tail = msgspec.structs.replace(EAST, until_ms=(NOW + minutes) * MINUTE_MS)
        assert len(folded(over, tail, now=NOW + minutes)) == parts
    later = alert("region", region="44", start=NOW, until=NOW + 5)
    assert len(folded(over, later, now=NOW + 5)) == 2


def test_an_alert_that_began_long_before_is_not_explained():
    for minutes, parts in ((LEAD_MINUTES, 1), (LEAD_MINUTES + 1, 2)):
        early = alert("region", region="44", start=1_000 - minutes, until=NOW)
        assert len(folded(FRANCE, early)) == parts


def test_who_is_called():
    small = alert("service", region="44", service="NOTES", expected=30.0)
    assert quiet_because(small) is Quiet.SMALL
    assert quiet_because(alert("project", project="mbn", expected=5.0)) is None
    assert quiet_because(alert(planned="mise à jour", learning=True)) is Quiet.PLANNED
    assert quiet_because(alert(learning=True)) is Quiet.LEARNING
    never, service = (
        alert("project", "never_seen", project="atrium"),
        alert("service", "drop", region="44", service="NOTES"),
    )
    assert [one.severity for one in folded(EAST, never, service)] == ["critical", "warning", "warning"]


def test_what_nobody_is_called_for_hides_nothing_that_somebody_is():
    learning = alert(learning=True)
    assert [(one.id, one.quiet) for one in folded(learning, EAST)] == [(EAST.id, None), (learning.id, Quiet.LEARNING)]
    assert len(folded(learning, msgspec.structs.replace(EAST, learning=True))) == 1
    assert len(folded(FRANCE, msgspec.structs.replace(EAST, learning=True))) == 1


def test_who_was_called_before_something_explained_it_is_told_of_the_end():
    early = alert("region", region="44", raised=1_002)
    inside = alert("service", region="44", service="NOTES", raised=1_003)
    (one,) = folded(alert(raised=1_002 + HOLD_MINUTES + 1), early, inside)
    assert [was.id for was in one.called_before] == [early.id]
    for minutes in range(HOLD_MINUTES + 1):  # while the region waited
        (one,) = folded(alert(raised=1_002 + minutes), early, inside)
        assert one.called_before == ()


@pytest.mark.parametrize("kind", ["surge", "drop"])
def test_a_narrow_surge_or_drop_waits_two_minutes_and_nothing_else_does(kind):
    def quiet(*alerts, now):
        return [one.quiet for one in folded(*alerts, now=now)]

    region = alert("region", kind, region="44", raised=1_003, until=1_003)
    assert quiet(region, now=1_003) == quiet(region, now=1_004) == [Quiet.HELD]
    assert quiet(region, now=1_003 + HOLD_MINUTES) == [None]
    # France came within the wait: one call.
    assert [one.called_before for one in folded(region, alert(kind=kind, raised=1_005, until=1_005), now=1_005)] == [()]
    silent = alert("project", "silence", project="mbn", raised=1_003, until=1_003)
    assert quiet(silent, now=1_003) == quiet(alert(kind=kind, raised=1_003, until=1_003), now=1_003) == [None]
    # What is planned is told as that; what is over waits for nothing.
    assert quiet(msgspec.structs.replace(region, planned="mise à jour"), now=1_003) == [Quiet.PLANNED]
    assert quiet(msgspec.structs.replace(region, end_ms=region.until_ms), now=1_003) == [None]


def test_a_regions_drop_waits_for_the_ent_that_is_its_cause():
    part = Driver(None, None, "mbn", 580.0, 1000.0, 0.58)
    drop = alert("region", "drop", region="44", raised=1_003, until=1_004, drivers=(part,))
    (one,) = folded(drop, alert("project", "silence", project="mbn", raised=1_004, until=1_004), now=1_004)
    assert (one.alert.kind, one.quiet, one.called_before) == ("silence", None, ())


def test_running_ones_come_first_and_what_calls_somebody_and_what_is_wide():
    over = alert("region", "drop", start=900, region="11", until=950, end_ms=950 * MINUTE_MS)
    learning = alert("project", "silence", project="atrium", learning=True)
    alerts = [alert("service", "drop", region="11", service="NOTES"), over, learning, FRANCE]
    assert [one.alert.scope for one in folded(*alerts)] == ["national", "service", "project", "region"]


def test_of_two_causes_that_explain_as_much_the_same_one_is_taken_whatever_order_they_are_read_in():
    part = Driver("44", None, None, 10.0, 1000.0, 0.01)
    france = alert("national", "drop", 900, drivers=(part,), until=960, end_ms=960 * MINUTE_MS)
    first, second = (
        alert("region", "silence", start, region="44", until=960, end_ms=960 * MINUTE_MS) for start in (901, 903)
    )
    found = [heads(*order) for order in ((france, first, second), (france, second, first), (second, first, france))]
    assert found[0] == found[1] == found[2]


@st.composite
def mornings(draw):
    """Any alerts of a few places, each place and kind at most twice."""
    places = [("national", {}), *(("region", {"region": code}) for code in ("44", "93", "11"))]
    places += [("service", {"region": "44", "service": "NOTES"}), ("service", {"region": "93", "service": "NOTES"})]
    places += [("project", {"project": code}) for code in REGIONS]
    found = {}
    for _alert in range(draw(st.integers(1, 14))):
        scope, codes = draw(st.sampled_from(places))
        start, length = draw(st.integers(900, 1_005)), draw(st.integers(1, 90))
        until = min(start + length, NOW)
        parts = [Driver("44", None, None, 10.0, 1000.0, 0.01), Driver(None, None, "mbn", 3000.0, 900.0, 3.3)]
        kind = draw(st.sampled_from(["surge", "drop", "silence", "never_seen"]))
        figures = {"expected": draw(st.sampled_from([20.0, 1000.0])), "learning": draw(st.booleans())}
        times = {"until": until, "raised": min(start + 2, until), "end_ms": None if until == NOW else until * MINUTE_MS}
        named = tuple(parts[: draw(st.integers(0, 2))])
        one = alert(scope, kind, start, **codes, **times, **figures, drivers=named)
        found[one.id] = one
    return list(found.values())


@given(mornings())
def test_every_alert_is_in_one_incident_and_nobody_who_must_be_called_is_left_out(alerts):
    found = folded(*alerts)
    assert sorted(one.id for each in found for one in (each.alert, *each.explains)) == sorted(one.id for one in alerts)
    for each in found:
        if each.quiet is Quiet.HELD:
            new = {one for one in each.explains if one.end_ms is None and quiet_because(one) is None} - set(
                each.called_before
            )
            assert all(one.raised_ms > (NOW - HOLD_MINUTES) * MINUTE_MS for one in (each.alert, *new))
        elif each.quiet is not None:
            assert all(quiet_because(one) is not None for one in each.explains), (
                "hidden behind what nobody is called for"
            )
        assert set(each.called_before) <= {
            one for one in each.explains if one.end_ms is None and quiet_because(one) is None
        }
        assert sum(each.counts.values()) <= len(each.explains)
        assert list(each.counts) == list(LEVELS)
        for one in each.explains:
            assert one.kind != "never_seen"
            assert ({one.kind, each.alert.kind} <= {"drop", "silence"}) or one.kind == each.alert.kind
    shuffled = random.Random(1).sample(alerts, len(alerts))
    assert {(one.id, frozenset(a.id for a in one.explains)) for one in folded(*shuffled)} == {
        (one.id, frozenset(a.id for a in one.explains)) for one in found
    }
