"""Which alerts Prometheus is told of: incidents that somebody is called for, what is said of them, and how many alerts call nobody."""

import msgspec
import yaml

from streams.expose.alert_french import Words
from streams.expose.alert_samples import ACTIVE_MAX, alert_families
from streams.incidents import LEVELS, Acknowledgement, AlertBook, Matcher, fold
from streams.settings import deploy_dir
from tests.incidents.storms import MINUTE_MS, alert, storm

NOW = 1_010


def exposed(catalog, *alerts, now=NOW, known=None):
    """Metric -> its samples."""
    return {one.name: one.samples for one in alert_families(AlertBook(now - 1, alerts), Words(catalog, 0), known)}


def active(catalog, *alerts, now=NOW):
    names = ("kind", "region", "service", "project")
    return {tuple(s.labels[name] for name in names) for s in exposed(catalog, *alerts, now=now)["ent_alert_active"]}


def quiet(catalog, *alerts):
    return [(s.labels["reason"], s.value) for s in exposed(catalog, *alerts)["ent_alerts_quiet"]]


def test_the_number_of_active_alerts_is_bounded_and_the_widest_come_first(catalog):
    many = [alert("project", "silence", project=f"p{number}") for number in range(300)]
    samples = exposed(catalog, *many, alert())["ent_alert_active"]
    assert len(samples) == ACTIVE_MAX
    assert samples[0].labels["scope"] == "national"
    assert quiet(catalog, *many, alert()) == [("bound", 301 - ACTIVE_MAX)]


def test_a_storm_is_one_active_alert_and_one_incident(catalog):
    found = exposed(catalog, *storm(catalog), now=1_013)
    assert [sample.labels["scope"] for sample in found["ent_alert_active"]] == ["national"]
    levels = {sample.labels["level"]: sample.value for sample in found["ent_incident_alerts"]}
    assert levels == {"national": 1, "region": 13, "project": 13, "service": 290}
    (said,) = found["ent_alert_info"]
    assert "Explique 316 autres alertes : 13 régions, 13 ENT, 290 services. À faire d'abord" in said.labels["sentence"]
    assert quiet(catalog, *storm(catalog)) == [("part", 316)]


def test_who_was_called_before_is_told_of_the_end_and_not_earlier(catalog):
    """A region's surge that becomes France's: its own alert stays until it is over, for it was told."""
    region, france = alert("region", region="44", raised=1_002), alert(raised=1_005)
    found = exposed(catalog, region, france)
    assert [s.labels["scope"] for s in found["ent_alert_active"]] == ["national", "region"]
    assert {s.labels["scope"] for s in found["ent_incident_alerts"]} == {"national"}
    said = {s.labels["scope"]: s.labels["sentence"] for s in found["ent_alert_info"]}
    assert said["region"].endswith("Fait partie de : Hausse – France entière.")
    assert "Explique 1 autre alerte : 1 région." in said["national"]


def test_a_service_is_part_of_its_regions_alert_of_that_kind(catalog):
    inside, other = (alert("service", region=region, service="NOTES") for region in ("44", "11"))
    alerts = [alert("region", region="44"), inside, other, alert("service", "drop", region="44", service="NOTES")]
    wanted = {("surge", "44", "-", "-"), ("surge", "11", "NOTES", "-"), ("drop", "44", "NOTES", "-")}
    assert active(catalog, *alerts) == wanted
    assert quiet(catalog, *alerts) == [("part", 1)]


def test_three_visits_a_minute_of_a_service_call_nobody(catalog):
    few = alert("service", region="44", service="NOTES", expected=25.0)  # of ten minutes
    many = alert("service", region="11", service="NOTES", expected=5000.0)
    assert active(catalog, few, many) == {("surge", "11", "NOTES", "-")}
    assert quiet(catalog, few, many) == [("small", 1)]


def test_what_is_left_of_a_national_alert_in_its_regions_calls_nobody_for_half_an_hour(catalog):
    france = alert(end_ms=NOW * MINUTE_MS)
    late = NOW + 30
    tail = alert("region", region="44", until=late)
    project, later = (
        alert("project", project="mbn", until=late),
        alert("region", region="84", start=NOW + 1, until=late),
    )
    alerts = [france, tail, alert("region", "drop", region="11", until=late), later, project]
    left = {("drop", "11", "-", "-"), ("surge", "84", "-", "-")}
    assert active(catalog, *alerts, now=late) == left
    assert active(catalog, *alerts, now=late + 1) == left | {("surge", "44", "-", "-")}  # which explains mbn


def test_rules_say_how_grave_an_incident_is_as_incidents_do():
    rules = yaml.safe_load((deploy_dir() / "prometheus" / "rules" / "detector.yml").read_text())["groups"][0]["rules"]
    text = '{{ if or (eq $labels.scope "service") (eq $labels.kind "never_seen") }}warning{{ else }}critical{{ end }}'
    assert {rule["labels"]["severity"] for rule in rules} == {text}
    for scope in LEVELS:
        for kind in ("surge", "drop", "silence", "never_seen"):
            (found,) = fold([alert(scope, kind)], {}, NOW * MINUTE_MS)
            assert found.severity == ("warning" if scope == "service" or kind == "never_seen" else "critical")


def test_who_has_taken_an_incident_in_charge_is_told_and_where_nobody_knows_that(catalog):
    def who(known):
        (found,) = exposed(catalog, *storm(catalog), now=1_013, known=known)["ent_alert_acknowledged"]
        return found.labels["who"], found.value

    assert who(()) == ("personne", 0)
    assert who(None) == ("inconnu : Alertmanager ne répond pas", 0)
    claire = Acknowledgement("Claire", 29_804_062 * MINUTE_MS, "", (Matcher("scope", "national"),))
    assert who([claire]) == ("Claire jusqu'à 08:22", 1)


def test_a_region_that_was_raised_just_now_calls_nobody_yet_and_is_told_as_that(catalog):
    region = alert("region", region="44", raised=1_008, until=1_009)
    found = exposed(catalog, region, now=1_009)
    assert found["ent_alert_active"] == []
    assert quiet(catalog, msgspec.structs.replace(region, raised_ms=1_010 * MINUTE_MS)) == [("held", 1)]
    assert len(exposed(catalog, region, now=1_010)["ent_alert_active"]) == 1
