"""What a scrape exposes, held to the closed list of metrics, to the closed lists of labels and to the series budget."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from streams.count import Cut
from streams.expose.collector import render
from streams.expose.samples import Lists, lag_events, minute_families, redis_up, snapshot_families
from streams.live import MinuteCounts
from streams.metrics import METRICS, Kind, Owner

MINUTE = 1_788_242_580 // 60
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"
LATENESS_MS = 20_000


@pytest.fixture(scope="module")
def lists(catalog):
    return Lists.of(catalog)


@pytest.fixture
def minutes():
    first = MinuteCounts(MINUTE, {("e", "44", "NOTES"): 3, ("e", "GONE", "NOTES"): 2, ("p", "mbn"): 5})
    return [first, MinuteCounts(MINUTE + 1, {})]


@pytest.fixture
def families(make_snapshot, lists, minutes):
    found = [redis_up(True), *snapshot_families(make_snapshot(), lists, LATENESS_MS), *minute_families(minutes, lists)]
    return {family.name: family for family in found}


def values(families, name):
    return {tuple(sample.labels.values()): sample.value for sample in families[name].samples}


def rendered(families, accept):
    class Given:
        def collect(self):
            return families.values()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Given())
    return render(registry, accept)


def test_exactly_the_observers_metrics_are_exposed_as_they_are_listed(families):
    listed = {metric.name: metric for metric in METRICS if metric.owner is Owner.OBSERVER}
    exposed = {sample.name: family for family in families.values() for sample in family.samples}
    assert set(exposed) == set(listed)
    for name, metric in listed.items():
        family = exposed[name]
        assert (family.type, family.documentation) == (metric.kind.value, metric.help)
        for sample in family.samples:
            assert tuple(sample.labels) == metric.labels, name
        if metric.kind is Kind.COUNTER:
            assert name.endswith("_total")


def test_every_closed_list_is_filled_with_zeros(families, catalog):
    events = values(families, "ent_events")
    assert set(events) == {(region, service) for region in catalog.region_codes for service in catalog.service_codes}
    assert events["44", "CAHIER_TEXTES"] == 12
    assert events["01", "NOTES"] == 0
    assert len(values(families, "ent_project_events")) == len(catalog.project_codes)
    assert len(values(families, "ent_profile_events")) == len(catalog.profile_codes) * len(catalog.region_codes)
    assert len(values(families, "ent_academy_events")) == len(catalog.academy_codes)
    assert len(values(families, "ent_events_late")) == len(catalog.region_codes)


def test_codes_that_are_no_longer_listed_count_under_inconnu(families):
    events = values(families, "ent_events")
    assert events["INCONNU", "CAHIER_TEXTES"] == 5
    assert events["11", "INCONNU"] == 7
    for name in ("ent_events", "ent_project_events", "ent_profile_events", "ent_academy_events"):
        assert sum(values(families, name).values()) == 27, name


def test_rejects_late_and_lost(families):
    assert values(families, "ent_events_rejected")[("not_json",)] == 4
    assert values(families, "ent_events_rejected")[("empty",)] == 0
    assert values(families, "ent_rejects_not_kept")[("not_json",)] == 1
    assert values(families, "ent_events_late")[("44",)] == 2
    assert values(families, "ent_events_lost") == {(): 9}


def test_the_minutes_carry_their_own_time_and_zeros(families, catalog):
    samples = families["ent_minute_events"].samples
    assert len(samples) == 2 * len(catalog.region_codes) * len(catalog.service_codes)
    found = {(s.labels["region"], s.labels["service"], s.timestamp): s.value for s in samples}
    assert found["44", "NOTES", MINUTE * 60] == 3
    assert found["44", "NOTES", MINUTE * 60 + 60] == 0
    assert found["INCONNU", "NOTES", MINUTE * 60] == 2
    assert sum(found.values()) == 5


def test_no_minute_due_means_no_family(lists):
    assert list(minute_families([], lists)) == []


def test_what_is_unknown_is_absent_not_zero(make_snapshot, lists):
    empty = make_snapshot(settled_ms=None, heartbeats={}, totals={}, offsets={}, catalog=None)
    found = {family.name: family for family in snapshot_families(empty, lists, LATENESS_MS)}
    assert "ent_settled_timestamp_seconds" not in found
    assert found["ent_lag_events"].samples == []
    assert values(found, "ent_partitions_unowned") == {(): 2}
    assert values(found, "ent_settling_stale_partitions") == {(): 2}
    assert values(found, "ent_catalog_mismatch") == {(): 0}
    assert set(values(found, "ent_events").values()) == {0}


def test_the_lag_is_that_of_the_log_behind_what_is_counted(make_snapshot, families):
    assert values(families, "ent_lag_events") == {("0",): 5, ("1",): 0}
    snapshot = make_snapshot()
    assert lag_events(make_snapshot(now_ms=snapshot.now_ms + 15_000)) == {0: None, 1: None}  # nobody vouches any more


def test_other_lists_than_those_the_counts_began_under_are_shown(make_snapshot, lists):
    found = {f.name: f for f in snapshot_families(make_snapshot(catalog="other"), lists, LATENESS_MS)}
    assert values(found, "ent_catalog_mismatch") == {(): 1}


def test_the_series_budget(families, catalog, make_snapshot):
    regions, services = len(catalog.regions) - 1, len(catalog.services)  # 18 regions beside 99 and INCONNU
    measures = 2  # ent_events_total, ent_minute_events
    series = {(s.name, *s.labels.values()) for family in families.values() for s in family.samples}
    by_pair = {key for key in series if key[0] in ("ent_events_total", "ent_minute_events")}
    assert len(by_pair) == (regions + 2) * (services + 1) * measures
    constant = len(series) - len(by_pair) - make_snapshot().partitions
    assert constant <= 300


def test_openmetrics_holds_to_its_own_rules(families):
    body, content_type = rendered(families, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    # The parser refuses samples of one series that are not together or not in order of time.
    parsed = {family.name: family for family in text_string_to_metric_families(body.decode())}
    stamps = {float(sample.timestamp) for sample in parsed["ent_minute_events"].samples}
    assert stamps == {MINUTE * 60.0, MINUTE * 60.0 + 60}  # seconds


def test_the_text_format_passes_promtool(families):
    body, content_type = rendered(families, TEXT)
    assert content_type.startswith("text/plain; version=0.0.4")
    assert f'ent_minute_events{{region="44",service="NOTES"}} 3.0 {MINUTE * 60_000}\n'.encode() in body  # milliseconds
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_cut_with_a_minute_or_a_total_is_exposed(totals):
    assert {field[0] for field in totals} == {cut.value for cut in Cut}
