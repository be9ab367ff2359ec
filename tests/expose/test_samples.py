"""What a scrape exposes, held to the closed list of metrics, to the closed lists of labels and to the series budget."""

import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_text_families

from streams.count import Cut
from streams.expose.alert_french import Words
from streams.expose.alert_samples import AlertScraper
from streams.expose.codes import Lists
from streams.expose.collector import ForecastScraper, Scrape, render
from streams.expose.incidents import IncidentParts
from streams.expose.minute_writer import MinuteWriter, StampedMinutes
from streams.expose.samples import (
    archive_families,
    census_families,
    lag_events,
    pair_families,
    redis_up,
    shortest_windows,
    snapshot_families,
    unseen_family,
)
from streams.forecast.kept import ForecastDay, ForecastQuarter, KeptForecast
from streams.live import AlertBook, AlertRecord, Driver, MinuteCounts
from streams.metric_kinds import Kind, Owner
from streams.metrics import METRICS
from streams.observe import ArchiveFigures, DetectorFigures, ExpectedRow

MINUTE = 1_788_242_580 // 60
#: Of the quarters of an hour that end at 08:15 and an hour later, and of the day.
QUARTERS = [ForecastQuarter(f"2026-09-01T0{5 + n // 4}:{15 * (n % 4):02}:00Z", 100, 80, 120) for n in range(12)]
TODAY = ForecastDay("2026-09-01", 1000, 900, 1100, 3, None, 2, ())
FORECAST = KeptForecast("2026-08-31T22:00:00Z", "2026-08-31", (TODAY,), tuple(QUARTERS))
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"
LATENESS_MS = 20_000


@pytest.fixture(scope="module")
def lists(catalog):
    return Lists.of(catalog, metrics_all=True)


@pytest.fixture
def minutes():
    first = MinuteCounts(
        MINUTE,
        {
            ("e", "44", "NOTES"): 3,
            ("e", "GONE", "NOTES"): 2,
            ("p", "mbn"): 5,
            ("v", "44"): 1,
            ("v", "GONE"): 1,
            ("vs", "44", "NOTES"): 2,
        },
    )
    return [first, MinuteCounts(MINUTE + 1, {})]


@pytest.fixture
def scrape(make_snapshot, census, lists, minutes):
    return scrape_of(make_snapshot(), census, lists, minutes)


def scrape_of(snapshot, census, lists, minutes):
    figures = [
        redis_up(True),
        *snapshot_families(snapshot, lists, LATENESS_MS),
        *census_families(census, snapshot.settled_ms, lists),
        unseen_family({"service": 3, "uai": 0}),
        *archive_families(ArchiveFigures(minute=29_804_043, waiting_minutes=60, missed_events=7)),
        *ForecastScraper(lambda: FORECAST, 0).families(MINUTE * 60_000),
    ]
    book = AlertBook(MINUTE, (alert(), alert(kind="silence", learning=True)))
    alerts = replace(alert_scraper(lists.catalog, book), metrics_all=lists.metrics_all)
    more, stamped = alerts.families([MINUTE, MINUTE + 1])
    return Scrape(
        [*figures, *more, *alerts.always()],
        [*pair_families(snapshot, lists), StampedMinutes(MinuteWriter(lists), minutes), *stamped],
    )


def alert(**changes):
    driver = Driver("44", "NOTES", None, 250.0, 60.0, 4.167)
    base = AlertRecord(
        id="surge:region=44:1788242400000", kind="surge", scope="region", region="44", service=None, project=None, measure="visits",
        start_ms=1_788_242_400_000, raised_ms=1_788_242_460_000, until_ms=1_788_243_000_000, end_ms=None,
        observed=300.0, expected=100.0, lower=80.0, upper=130.0, last_rentree=150.0, drivers=(driver,), observed_now=41.0,
        expected_now=10.0,
    )  # fmt: skip
    found = msgspec.structs.replace(base, **changes)
    return msgspec.structs.replace(found, id=f"{found.place}:{found.start_ms}")


def alert_scraper(catalog, book):
    def expected(scope, begin, end):
        rows = [ExpectedRow(minute, 1, 5.0, 4.5, 1.25, 9.0, learning=False) for minute in range(begin, end - 1)]
        return rows if scope.region in (None, "44") else []

    figures = DetectorFigures(judged_to=MINUTE, failures=2)
    store: Any = SimpleNamespace(book=lambda: book)
    parts = IncidentParts(store, Words(catalog, 0), lambda: (), lambda: 1_788_242_580_000)
    return AlertScraper(parts, lambda: figures, expected, lambda: True)


def parsed(scrape):
    """By OpenMetrics's own parser, which refuses samples of one series that are not together or not in order of time."""
    body, _content_type = render(scrape, OPENMETRICS)
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


@pytest.fixture
def families(scrape):
    return parsed(scrape)


def values(families, name):
    """By label values, in the order in which the metric lists its labels."""
    labels = next(metric.labels for metric in METRICS if metric.name.removesuffix("_total") == name)
    return {tuple(sample.labels[label] for label in labels): sample.value for sample in families[name].samples}


def test_exactly_the_observers_metrics_are_exposed_as_they_are_listed(families):
    listed = {metric.name: metric for metric in METRICS if metric.owner is Owner.OBSERVER}
    exposed = {sample.name: family for family in families.values() for sample in family.samples}
    assert set(exposed) == set(listed)
    for name, metric in listed.items():
        family = exposed[name]
        assert (family.type, family.documentation) == (metric.kind.value, metric.help)
        for sample in family.samples:
            assert set(sample.labels) == set(metric.labels), name
        if metric.kind is Kind.COUNTER:
            assert name.endswith("_total")


def test_by_default_what_no_shipped_board_or_rule_reads_is_not_exposed(make_snapshot, census, catalog, minutes):
    """Nothing is lost: the API and `vigie minutes` give these figures, and `metrics_all` the metrics."""
    families = parsed(scrape_of(make_snapshot(), census, Lists.of(catalog), minutes))
    exposed = {sample.name for family in families.values() for sample in family.samples}
    listed = {metric for metric in METRICS if metric.owner is Owner.OBSERVER}
    assert exposed == {metric.name for metric in listed if not metric.is_extra}
    assert {metric.name for metric in listed if metric.is_extra} == {
        "ent_profile_events_total",
        "ent_academy_events_total",
        "ent_service_visits_total",
        "ent_alert_observed_visits",
        "ent_alert_expected_visits",
    }


def test_alerts_say_what_runs_against_what_and_what_drives_it(families):
    labels = ("surge", "region", "44", "-", "-")
    assert values(families, "ent_alert_active") == {labels: 1}
    assert values(families, "ent_alert_ratio") == {labels: 3}
    assert values(families, "ent_alert_observed_visits") == {labels: 300}
    assert values(families, "ent_alert_expected_visits") == {labels: 100}
    assert values(families, "ent_alert_ratio_now") == {labels: 4.1}
    assert values(families, "ent_incident_alerts") == {
        (*labels, level): number for level, number in (("national", 0), ("region", 1), ("project", 0), ("service", 0))
    }
    assert values(families, "ent_alert_start_timestamp_seconds") == {labels: 1_788_242_400}
    (said,) = families["ent_alert_info"].samples
    assert {name: said.labels[name] for name in ("id", "title", "summary", "sentence")} == {
        "id": alert().id,
        "title": "Hausse – Grand Est",
        "summary": "Hausse – Grand Est : × 3,0 depuis 08:00, × 4,1 ces 5 dernières minutes",
        "sentence": "Hausse – Grand Est : 300 visites pour 100 attendues depuis 08:00 (× 3,0), × 4,1 ces 5 dernières minutes. "
        "C'est × 2,0 la dernière rentrée. Surtout : Notes (× 4,2). À faire d'abord : vérifier que la chaîne suit (retard, "
        "rejets), puis prévenir les exploitants des ENT concernés.",
    }
    assert values(families, "ent_region_info")["44", "Grand Est"] == 1
    assert values(families, "ent_academy_info")["24", "Créteil"] == 1
    # In September Paris is two hours ahead of UTC.
    assert values(families, "ent_screen_shift_seconds") == {(): 7200}


def test_what_nobody_is_called_for_is_counted_and_not_active(families):
    assert values(families, "ent_alerts_quiet") == {("silence", "learning"): 1}


def test_expectations_carry_their_own_time_and_what_is_not_judged_is_left_out(families):
    samples = families["ent_expected_visits"].samples
    assert [(s.labels["region"], s.value, float(s.timestamp)) for s in samples] == [
        ("-", 4.5, MINUTE * 60.0),
        ("44", 4.5, MINUTE * 60.0),
    ]


def test_an_observer_without_an_archive_says_nothing_of_one(families):
    assert list(archive_families(None)) == []
    assert values(families, "ent_archive_timestamp_seconds") == {(): 29_804_043 * 60}
    assert values(families, "ent_archive_missed_events") == {(): 7}


def test_unseen_values_are_numbers_by_list_and_never_the_values(families):
    assert values(families, "ent_unseen_values") == {("service",): 3, ("uai",): 0}


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


def test_visits_are_those_of_each_cut(families, catalog):
    visits = values(families, "ent_visits")
    assert len(visits) == len(catalog.region_codes)
    assert (visits[("44",)], visits[("INCONNU",)], visits[("01",)]) == (5, 2, 0)
    assert values(families, "ent_project_visits")[("mbn",)] == 7
    assert values(families, "ent_profile_visits")["ELEVE", "44"] == 5
    assert values(families, "ent_academy_visits")[("INCONNU",)] == 7
    by_service = values(families, "ent_service_visits")
    assert len(by_service) == len(catalog.region_codes) * len(catalog.service_codes)
    assert (by_service["44", "CAHIER_TEXTES"], by_service["44", "INCONNU"]) == (6, 3)
    assert values(families, "ent_events_duplicate") == {(): 6}


def test_users_and_establishments_are_each_a_figure_of_their_own(families, catalog):
    users = values(families, "ent_users")
    windows, places = ("5m", "15m", "day"), ("-", *catalog.region_codes)
    assert set(users) == {(window, place) for window in windows for place in places}
    assert [users[window, "-"] for window in windows] == [9, 12, 400]
    # Two and four are too few to be told.
    assert [str(float(users[window, "04"])) for window in windows] == ["nan", "nan", "30.0"]
    assert users["15m", "11"] == 0  # measured: nobody
    projects = values(families, "ent_project_users")
    assert set(projects) == {(window, code) for window in ("5m", "15m") for code in catalog.project_codes}
    assert (projects["5m", "mbn"], projects["15m", "mbn"]) == (9, 12)
    academies = values(families, "ent_academy_users")
    assert set(academies) == {(window, code) for window in ("5m", "15m") for code in catalog.academy_codes}
    found = [academies[key] for key in (("5m", "12"), ("15m", "INCONNU"), ("15m", "01"))]
    assert [str(float(number)) for number in found] == ["7.0", "nan", "0.0"]
    seen = values(families, "ent_establishments_reporting")
    assert (len(seen), seen[("-",)], seen[("44",)], seen[("11",)]) == (1 + len(catalog.region_codes), 3, 3, 0)
    assert values(families, "ent_project_establishments_reporting")[("mbn",)] == 3


def test_users_that_nobody_counted_are_absent(census, lists):
    settled_ms = census.minute * 60_000
    assert len(list(census_families(census, settled_ms, lists))) == 5
    assert list(census_families(None, settled_ms, lists)) == []
    assert list(census_families(census, None, lists)) == []  # Redis was emptied
    assert list(census_families(census, settled_ms - 1, lists)) == []  # or restored as it was before


def test_the_shortest_window_of_ids_is_shown(families, make_snapshot):
    assert values(families, "ent_dedupe_window_seconds") == {(): 720.5}
    assert values(families, "ent_visit_window_seconds") == {(): 2050}
    snapshot = make_snapshot()
    nothing = {1: msgspec.structs.replace(snapshot.heartbeats[1], dedupe_window_ms=0)}
    assert shortest_windows(replace(snapshot, heartbeats=nothing, offsets={})) is None  # nothing to know yet
    warming = {
        **snapshot.heartbeats,
        1: msgspec.structs.replace(snapshot.heartbeats[1], dedupe_window_ms=0, warming=0.4),
    }
    windows = shortest_windows(replace(snapshot, heartbeats=warming))
    assert windows is not None
    assert windows.ids_ms == 780_000  # it does not count yet
    assert shortest_windows(make_snapshot(now_ms=snapshot.now_ms + 15_000)) is None  # nobody's


def test_the_minutes_carry_their_own_time_and_zeros(families, catalog):
    samples = families["ent_minute_events"].samples
    assert len(samples) == 2 * len(catalog.region_codes) * len(catalog.service_codes)
    found = stamped(families, "ent_minute_events", "region", "service")
    assert found["44", "NOTES", MINUTE * 60] == 3
    assert found["44", "NOTES", MINUTE * 60 + 60] == 0
    assert found["INCONNU", "NOTES", MINUTE * 60] == 2
    assert sum(found.values()) == 5


def test_the_minutes_have_visits_in_the_same_manner(families, catalog):
    visits = stamped(families, "ent_minute_visits", "region")
    assert len(visits) == 2 * len(catalog.region_codes)
    assert (visits["44", MINUTE * 60], visits["INCONNU", MINUTE * 60], visits["44", MINUTE * 60 + 60]) == (1, 1, 0)
    by_service = stamped(families, "ent_minute_service_visits", "region", "service")
    assert set(by_service) == set(stamped(families, "ent_minute_events", "region", "service"))
    assert (by_service["44", "NOTES", MINUTE * 60], sum(by_service.values())) == (2, 2)


def stamped(families, name, *labels):
    return {
        (*(sample.labels[label] for label in labels), float(sample.timestamp)): sample.value
        for sample in families[name].samples
    }


def test_no_minute_due_means_no_family(lists):
    assert MinuteWriter(lists).text([], openmetrics=True) == ""


def test_what_is_unknown_is_absent_not_zero(make_snapshot, lists):
    empty = make_snapshot(settled_ms=None, heartbeats={}, totals={}, offsets={}, catalog=None)
    found = parsed(Scrape(list(snapshot_families(empty, lists, LATENESS_MS)), list(pair_families(empty, lists))))
    assert "ent_settled_timestamp_seconds" not in found
    assert values(found, "ent_lag_events") == {}
    assert "ent_dedupe_window_seconds" not in found
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
    by_pair_names = {
        metric.name for metric in METRICS if metric.owner is Owner.OBSERVER and metric.labels == ("region", "service")
    }
    assert len(by_pair_names) == 4  # events and visits of a service, of all time and by minute
    series = {(s.name, *s.labels.values()) for family in families.values() for s in family.samples}
    by_pair = {key for key in series if key[0] in by_pair_names}
    assert len(by_pair) == (regions + 2) * (services + 1) * len(by_pair_names)
    # Beside these: by profile and region twice (280), by region, project or academy 19 times (535), names of
    # codes (80), and a few single ones.
    constant = len(series) - len(by_pair) - make_snapshot().partitions
    assert constant <= 1050


def test_openmetrics_holds_to_its_own_rules(scrape, families):
    body, content_type = render(scrape, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert body.count(b"# EOF") == 1
    stamps = {float(sample.timestamp) for sample in families["ent_minute_events"].samples}
    assert stamps == {MINUTE * 60.0, MINUTE * 60.0 + 60}  # seconds


def test_the_text_format_passes_promtool(scrape):
    body, content_type = render(scrape, TEXT)
    assert content_type.startswith("text/plain; version=0.0.4")
    assert f'ent_minute_events{{region="44",service="NOTES"}} 3 {MINUTE * 60_000}\n'.encode() in body  # milliseconds
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_both_formats_say_the_same(scrape):
    text, _content_type = render(scrape, TEXT)
    assert {
        (f.type, s.name, *sorted(s.labels.items())) for f in plain_text_families(text.decode()) for s in f.samples
    } == {
        ("gauge" if f.type == "info" else f.type, s.name, *sorted(s.labels.items()))
        for f in parsed(scrape).values()
        for s in f.samples
    }


@pytest.mark.alone
def test_an_hour_of_minutes_is_written_in_time(lists):
    """A catch-up: sixty minutes, all pairs of three measures. Within 1 s with what Redis takes; alone it is far less."""
    counts = {("e", *pair): 7 for pair in lists.pairs} | {("vs", *pair): 2 for pair in lists.pairs}
    held = [MinuteCounts(MINUTE + n, counts) for n in range(60)]
    began = time.process_time()
    body, _content_type = render(Scrape([], [StampedMinutes(MinuteWriter(lists), held)]), OPENMETRICS)
    assert time.process_time() - began < 0.5
    assert body.count(b"\n") == 60 * (2 * len(lists.pairs) + len(lists.regions)) + 3 * 2 + 1


def test_every_cut_with_a_minute_or_a_total_is_exposed(totals):
    assert {field[0] for field in totals} == {cut.value for cut in Cut}
