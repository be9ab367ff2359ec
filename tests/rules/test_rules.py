"""Prometheus's and Alertmanager's files, as these programs themselves judge them, and as watch.md wants them."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.local.process import find_program
from streams.metric_kinds import Kind, Owner
from streams.metrics import METRICS
from streams.settings import deploy_dir

pytestmark = pytest.mark.servers
RULES = sorted((deploy_dir() / "prometheus" / "rules").glob("*.yml"))
NAMES = {metric.name for metric in METRICS}


def run(*argv: str) -> str:
    environment = {**os.environ, "GOGC": "400"}  # a third of what promtool computes is the collection of garbage
    done = subprocess.run(
        [find_program(argv[0]), *argv[1:]], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def test_promtool_and_amtool_accept_the_files():
    run("promtool", "check", "config", str(deploy_dir() / "prometheus" / "prometheus.yml"))
    run("promtool", "check", "rules", *map(str, RULES))
    run("amtool", "check-config", str(deploy_dir() / "alertmanager" / "alertmanager.yml"))


#: As in production, and half as often, which takes half as long.
EVERY_5_S, EVERY_10_S = "evaluation_interval: 5s", "evaluation_interval: 10s"


@pytest.mark.parametrize("interval", [EVERY_10_S, pytest.param(EVERY_5_S, marks=pytest.mark.long)])
@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.promtool.yml")), ids=lambda path: path.name)
def test_promtool_cases(path, interval, tmp_path):
    case = tmp_path / path.name
    text = path.read_text().replace("RULES/", f"{deploy_dir()}/prometheus/rules/")
    case.write_text(text.replace(EVERY_5_S, interval))
    assert "SUCCESS" in run("promtool", "test", "rules", str(case))


def test_rules_name_only_metrics_that_exist():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        for name in re.findall(r"\b(?:[a-z_]+:)?ent_[a-z_]+(?::[a-z_]+)?", rule["expr"]):
            assert name in NAMES | recorded, f"{rule.get('record') or rule['alert']} names {name}"


def test_every_figure_of_now_of_the_observers_is_recorded_once_over_all_of_them():
    """Time-stamped minutes never are: a rule would stamp them now."""
    wanted = {
        metric.name
        for metric in METRICS
        if metric.owner == Owner.OBSERVER
        and metric.kind != Kind.INFO
        and not metric.name.startswith(("ent_minute_", "ent_expected_"))
        and not metric.name.endswith("_info")
    }
    taken = [
        re.fullmatch(r"(?:max|min) without \(instance, pod\) \((ent_[a-z_]+)\)", rule["expr"])
        for rule in rules()
        if "record" in rule
    ]
    names = [match.group(1) for match in taken if match]
    assert len(names) == len(set(names))
    assert set(names) == wanted


def test_every_alert_says_what_to_do():
    for rule in rules():
        if "alert" in rule:
            assert set(rule["labels"]) >= {"severity", "team"}, rule["alert"]
            assert set(rule["annotations"]) >= {"summary", "description", "runbook_url", "dashboard_url"}, rule["alert"]
            assert (deploy_dir() / "runbooks" / f"{rule['alert']}.md").is_file(), rule["alert"]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def test_an_alert_is_tested_to_fire_and_not_to_fire():
    fires: set[str] = set()
    quiet: set[str] = set()
    for path in Path(__file__).parent.glob("*.promtool.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for check in case.get("alert_rule_test", ()):
                (fires if check["exp_alerts"] else quiet).add(check["alertname"])
    names = {rule["alert"] for rule in alerts()}
    assert fires == names
    assert quiet >= names - {"Watchdog"}


def test_runbooks_name_their_alert_its_parts_and_only_metrics_that_exist():
    parts = (
        "Ce que cela veut dire.",
        "Conséquence",
        "Vérifier en deux minutes.",
        "Agir.",
        "Passer la main.",
        "Faire taire",
    )
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    texts = {path.stem: path.read_text() for path in (deploy_dir() / "runbooks").glob("*.md")}
    assert set(texts) == {rule["alert"] for rule in alerts()}
    for name, text in texts.items():
        assert re.match(rf"# \w[^\n]* \({name}\)\n", text), "a title in French, and the alert's name"
        assert all(f"**{part}" in text for part in parts), name
        for metric in re.findall(r"\b(?:[a-z_]+:)?ent_[a-z_]+(?::[a-z_]+)?", text):
            assert metric in NAMES | recorded, f"{name} names {metric}"


def test_annotations_name_only_metrics_and_places_that_exist():
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in alerts():
        notes = rule["annotations"]
        for metric in re.findall(r"\b(?:[a-z_]+:)?ent_[a-z_]+(?::[a-z_]+)?", " ".join(notes.values())):
            assert metric in NAMES | recorded, f"{rule['alert']} names {metric}"
        assert notes["runbook_url"] == f"/runbooks/{rule['alert']}"
        # What the detector's alerts say is the observers' own sentence.
        said = "À faire d'abord" in notes["description"] or 'label "sentence"' in notes["description"]
        assert said or rule["alert"] == "Watchdog"


def test_the_detectors_alerts_do_not_wait_and_the_others_wait_for_two_evaluations():
    for rule in alerts():
        if "ent_alert_active" in rule["expr"]:
            assert "for" not in rule
        elif rule["alert"] != "Watchdog":
            assert rule["for"].endswith(("s", "m"))
            assert rule["for"] not in ("0s", "5s")


def test_inhibitions_name_alerts_that_exist():
    names = {rule["alert"] for rule in alerts()}
    config = yaml.safe_load((deploy_dir() / "alertmanager" / "alertmanager.yml").read_text())
    named = {name for name in re.findall(r"\b(?:Ent[A-Za-z]+|Watchdog)\b", yaml.safe_dump(config["inhibit_rules"]))}
    assert named <= names


def test_links_lead_to_boards_that_exist():
    folder = deploy_dir() / "grafana" / "dashboards"
    boards = {json.loads(path.read_text())["uid"]: path.stem for path in folder.glob("*.json")}
    for rule in alerts():
        link = rule["annotations"]["dashboard_url"]
        if rule["alert"] == "Watchdog":
            assert link == "-"
        else:
            named = re.findall(r"(vigie-\w+)/([\w-]+)", link)
            assert named
            assert all(boards.get(uid) == slug for uid, slug in named), f"{rule['alert']} leads to {link}"


def cases() -> list[dict[str, Any]]:
    paths = sorted(Path(__file__).parent.glob("*.promtool.yml"))
    return [case for path in paths for case in yaml.safe_load(path.read_text())["tests"]]


def stale(case: dict[str, Any], frozen: bool) -> dict[str, Any]:
    """The case with an observer b that says nothing any more, or the same as at the beginning for ever."""
    series = []
    for one in case["input_series"]:
        if 'instance="b:8000"' not in one["series"] or one["series"].startswith("up{"):
            series.append(one)
        elif frozen:
            first = re.match(r"-?[0-9.]+", str(one["values"]))
            series.append({**one, "values": f"{first.group()}x400" if first else "_x400"})
    return {**case, "name": f"{case['name']}, one observer stale", "input_series": series}


@pytest.mark.parametrize(("every", "interval"), [(4, "10s"), pytest.param(1, "5s", marks=pytest.mark.long)])
def test_one_stale_observer_changes_nothing(tmp_path, every, interval):
    """What fires, fires when the other observer says nothing any more; what does not, does not when it stands still."""
    firing, quiet = [], []
    for case in cases():
        checks = case.get("alert_rule_test", [])
        if not any('instance="b:8000"' in one["series"] for one in case.get("input_series", [])):
            continue
        fires = [check for check in checks if check["exp_alerts"]]
        if fires and "speaks for" not in case["name"]:
            firing.append(stale({**case, "alert_rule_test": fires}, frozen=False))
        # Alerts themselves are read from Redis at each scrape: an observer that hangs has none, it does not repeat them.
        elif not fires and not any(word in str(case) for word in ("one observer", "blinks", "ent_alert_active")):
            quiet.append(stale(case, frozen=True))
    shown = {check["alertname"] for case in firing for check in case["alert_rule_test"]}
    # Observers that are gone are what EntProcessGone speaks of; the objective is of one figure: in files of their own.
    other = {"Watchdog", "EntProcessGone", "EntFreshnessFast", "EntFreshnessSlow"}
    assert shown == {rule["alert"] for rule in alerts()} - other, "an alert without a case of two observers"
    assert len(quiet) > 8
    head = yaml.safe_load((Path(__file__).parent / "backstops.promtool.yml").read_text())
    made = {
        **head,
        "evaluation_interval": interval,
        "rule_files": [str(path) for path in RULES],
        "tests": [*firing, *quiet][::every],
    }
    (tmp_path / "stale.yml").write_text(yaml.safe_dump(made, allow_unicode=True, sort_keys=False))
    assert "SUCCESS" in run("promtool", "test", "rules", str(tmp_path / "stale.yml"))
