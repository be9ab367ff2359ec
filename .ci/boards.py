"""Writes Grafana's boards from deploy/grafana/boards, and the rules as prometheus-operator takes them; `--check` only says whether they
are current.
"""

import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "deploy" / "grafana"))
from boards import DIRECTORY, boards

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "rules.yaml"


def operator_rules() -> str:
    """Every group of deploy/prometheus/rules/ in one object of prometheus-operator's."""
    files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "vigie"},
        "spec": {"groups": groups},
    }
    head = "# Written by `make boards` from deploy/prometheus/rules/.\n"
    return head + yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, width=140)


def main() -> int:
    """Write, or say what is not current."""
    made = boards()
    held = {path.name: path.read_text() for path in DIRECTORY.glob("*.json")}
    rules = operator_rules()
    if made == held and RULES.read_text() == rules:
        return 0
    if "--check" in sys.argv:
        print("deploy/grafana/dashboards, or the rules in deploy/kubernetes, are not current: run `make boards`")  # noqa: T201
        return 1
    RULES.write_text(rules)
    for name in held.keys() - made.keys():
        (DIRECTORY / name).unlink()
    for name, text in made.items():
        (DIRECTORY / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
