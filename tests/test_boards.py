"""Grafana's boards without Grafana: current, complete, of known metrics, and no figure doubled by a second observer."""

import re
import sys
from typing import Any

import promql_parser
import pytest
import yaml

from streams.metric_kinds import Kind, Metric, Owner
from streams.metrics import METRICS
from tests.board_queries import DASHBOARDS, ROOT, BoardQuery, boards, panels, queries

RECORDED = {
    rule["record"]: rule["expr"]
    for path in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if "record" in rule
}
EXPOSED = {metric.name: metric for metric in METRICS} | {
    f"{metric.name}{suffix}": metric for metric in METRICS if metric.kind is Kind.HISTOGRAM for suffix in ("_bucket", "_sum", "_count")
}  # fmt: skip
#: Exposed although no board and no alert reads them, and why.
KEPT = {
    "ent_visits_total": "the ministry's measure; one series a region",
    "ent_screen_shift_seconds": "other tools need it to show the time that screens show; one series",
    "ent_archive_timestamp_seconds": "where an archive stands, whose gap is alerted on; one series",
    "ent_archive_file_bytes": "to see a disk fill up; one series",
    "ent_build_info": "which version runs; one series",
    "ent_worker_memory_entries": "to size a worker's memory; two series a worker",
    "ent_worker_log_lines_suppressed_total": "what a log does not say; one series a worker",
}
QUERIES = queries()
PANELS = [(title, panel) for title, board in boards().items() for panel in panels(board)]


def by_name(pair: tuple[str, Any]) -> str:
    return f"{pair[0]}: {pair[1]['title']}"


def test_the_files_follow_the_code() -> None:
    sys.path.insert(0, str(ROOT / "deploy" / "grafana"))
    try:
        from boards import boards as built

        made = built()
    finally:
        sys.path.pop(0)
    assert {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")} == made, "run `make boards`"


def test_three_boards_at_the_addresses_that_alerts_name() -> None:
    found = {board["uid"]: board for board in boards().values()}
    assert set(found) == {"vigie-direct", "vigie-region", "vigie-chaine"}
    assert all(not board["editable"] and board["timezone"] == "Europe/Paris" for board in found.values())
    rules = "".join(path.read_text() for path in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
    named = set(re.findall(r"(vigie-[a-z]+)/[a-z]", rules))
    assert named <= set(found)
    choices = [variable["name"] for variable in found["vigie-region"]["templating"]["list"]]
    assert choices == ["vigie", "datasource", "region", "academy", "project", "service"]


@pytest.mark.parametrize("pair", PANELS, ids=by_name)
def test_every_panel_has_a_unit_and_says_what_to_do_when_it_looks_wrong(pair: tuple[str, Any]) -> None:
    panel = pair[1]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert "Si ce panneau semble faux : " in panel["description"]
    runbook = re.search(r"Procédure : (\S+)", panel["description"])
    assert runbook
    assert (ROOT / "deploy" / "runbooks" / f"{runbook[1]}.md").exists(), runbook[1]
    assert panel["links"][0]["url"] == f"${{vigie}}/runbooks/{runbook[1]}"


@pytest.mark.parametrize("board", boards().values(), ids=lambda board: board["title"])
def test_panels_fit_the_grid_and_none_lies_over_another(board: Any) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for cell in ((place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])):
            assert taken.setdefault(cell, panel["title"]) == panel["title"]


def test_legends_are_words_not_codes() -> None:
    """A person at 07:50 does not know region 44 from academy 44, nor what a `surge` is."""
    codes = re.compile(r"\{\{(region|service|project|academy|scope)\}\}")
    named = [
        (where, text)
        for where, panel in PANELS
        for target in panel["targets"]
        if codes.search(text := target["legendFormat"])
    ]
    assert named == []
    annotations = [one["titleFormat"] for board in boards().values() for one in board["annotations"]["list"]]
    assert set(annotations) == {"{{title}}"}


def selectors(node: Any, wrapped: bool = False) -> list[tuple[str, bool]]:
    """(metric, whether the highest of all observers is taken before anything else) of each selector in an expression."""
    if isinstance(node, promql_parser.VectorSelector):
        assert node.name is not None, "a query names its metric"
        return [(node.name, wrapped)]
    if isinstance(node, promql_parser.MatrixSelector):
        return selectors(node.vector_selector, wrapped)
    if isinstance(node, promql_parser.AggregateExpr):
        is_first = str(node.op) in ("max", "min")
        return selectors(node.expr, wrapped=is_first)
    if isinstance(node, promql_parser.Call):
        return [found for argument in node.args for found in selectors(argument, wrapped)]
    if isinstance(node, promql_parser.BinaryExpr):
        return selectors(node.lhs, wrapped=False) + selectors(node.rhs, wrapped=False)
    if isinstance(node, (promql_parser.ParenExpr, promql_parser.UnaryExpr, promql_parser.SubqueryExpr)):
        return selectors(node.expr, wrapped)
    assert isinstance(node, (promql_parser.NumberLiteral, promql_parser.StringLiteral)), type(node)
    return []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_queries_parse_and_know_their_metrics(query: BoardQuery) -> None:
    for name, _wrapped in selectors(promql_parser.parse(query.sent)):
        assert name in EXPOSED or name in RECORDED or name == "up", f"{name} is in no list"


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.where)
def test_no_figure_is_doubled_by_a_second_observer(query: BoardQuery) -> None:
    if " / $" in query.where:
        return  # a variable takes the labels, not the values
    for name, wrapped in selectors(promql_parser.parse(query.sent)):
        metric = EXPOSED.get(name)
        if metric is not None and metric.owner is Owner.OBSERVER:
            assert wrapped, f"{name} stands outside `max without (instance, pod)`: two observers double it"


def test_the_rule_against_doubling_can_fail() -> None:
    assert selectors(promql_parser.parse("sum(ent_minute_visits)")) == [("ent_minute_visits", False)]
    assert selectors(promql_parser.parse("sum(max without (instance) (last_over_time(ent_minute_visits[1m])))")) == [
        ("ent_minute_visits", True)
    ]


def used_metrics() -> set[str]:
    """What boards and alerting rules read, also through recorded rules."""
    alerts = [
        str(rule)
        for path in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    waiting = named_in(" ".join([*(query.expression for query in QUERIES), *alerts]))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= named_in(RECORDED.get(name, ""))
    return found


@pytest.fixture(scope="module")
def used() -> set[str]:
    return used_metrics()


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:[a-z_]+:)?ent_[a-z_]+(?::[a-z_]+)?", text))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_read_by_a_board_or_an_alert_or_kept_on_purpose(metric: Metric, used: set[str]) -> None:
    """What nothing reads costs every scrape: `is_extra` leaves it out by default."""
    names = {metric.name, *(f"{metric.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))}
    is_used = bool(names & used)
    assert is_used or metric.is_extra or metric.name in KEPT or metric.owner is Owner.COLLECTOR
    assert not (is_used and metric.is_extra), "a board or a rule reads it: expose it by default"


def unit_of(name: str) -> str:
    """The kind of unit that a metric's name promises."""
    text = RECORDED.get(name, name)
    return "s" if "_seconds" in text else "bytes" if "_bytes" in text else "number"


@pytest.mark.parametrize("pair", PANELS, ids=by_name)
def test_units_fit_the_metrics(pair: tuple[str, Any]) -> None:
    panel = pair[1]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    names = {
        name
        for target in panel["targets"]
        for name, _ in selectors(promql_parser.parse(BoardQuery("", target["expr"], True).sent))
    }
    kinds = {unit_of(name) for name in names}
    assert ("s" in kinds) == (unit == "s"), (unit, names)
    assert ("bytes" in kinds) == (unit == "bytes"), (unit, names)
    if unit.endswith("visites"):
        assert all("visits" in RECORDED.get(n, n) or "_info" in n for n in names) or panel["type"] == "table", names


def test_provisioned_boards_cannot_be_edited_and_find_their_source() -> None:
    directory = ROOT / "deploy" / "grafana" / "provisioning"
    provider = yaml.safe_load((directory / "dashboards" / "vigie.yml").read_text())["providers"][0]
    assert provider["allowUiUpdates"] is False
    source = yaml.safe_load((directory / "datasources" / "prometheus.yml").read_text())["datasources"][0]
    assert (source["type"], source["jsonData"]["timeInterval"]) == ("prometheus", "5s")
