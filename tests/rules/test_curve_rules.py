"""The curves of Grafana's boards, by promtool: the minute in which counting began is not whole, and is not drawn."""

import subprocess

import pytest
import yaml

from streams.local.process import find_program
from tests.board_queries import queries

pytestmark = pytest.mark.servers
CURVES = [one for one in queries() if "last_over_time(ent_minute_" in one.expression]
BEGAN = 5


@pytest.mark.parametrize("query", CURVES, ids=lambda one: one.where)
def test_the_minute_in_which_counting_began_is_not_drawn(query, tmp_path):
    """Two observers expose minutes from the sixth on; each draws from the seventh, once."""
    weeks = 10_080 if "offset 10080m" in query.sent else 0
    values = f"_x{BEGAN} 40 100 100 100"
    labels = 'region="44", service="NOTES"'
    metric = next(
        name
        for name in ("visits", "events", "service_visits")
        if f"ent_minute_{name}{{" in query.sent + "{" or f"ent_minute_{name}[" in query.sent
    )
    series = [{"series": f'ent_minute_{metric}{{{labels}, instance="{one}"}}', "values": values} for one in "ab"]
    series += [
        {"series": f'ent_{kind}_info{{{kind}="{code}", name="nom"}}', "values": "1x20000"}
        for kind, code in (("region", "44"), ("service", "NOTES"))
    ]
    expected = [(BEGAN, None), (BEGAN + 1, 100)]
    asked = [
        {
            "expr": f"max({query.sent}) or vector(-1)",
            "eval_time": f"{at + weeks}m",
            "exp_samples": [{"labels": "{}", "value": -1 if value is None else value}],
        }
        for at, value in expected
    ]
    case = tmp_path / "curve.yml"
    case.write_text(
        yaml.safe_dump(
            {
                "rule_files": [],
                "evaluation_interval": "1m",
                "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
            }
        )
    )
    done = subprocess.run(
        [find_program("promtool"), "test", "rules", str(case)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
