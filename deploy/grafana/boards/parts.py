"""What the boards are made of: expressions that no second observer doubles, and panels that all have a unit and a description."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models import common as cm
from grafana_foundation_sdk.models import dashboard as dm
from grafana_foundation_sdk.models import prometheus as pm

SOURCE = dm.DataSourceRef(type_val="prometheus", uid="${datasource}")
#: Where an observer serves the live page and the runbooks: the board's constant `vigie`, by default that of a local stack.
PAGE = "${vigie}"
PAGE_DEFAULT = "http://127.0.0.1:8000"
_RULES = Path(__file__).resolve().parent.parent.parent / "prometheus" / "rules" / "recording.yml"
_RECORDED = {
    rule["expr"].removeprefix("max without (instance, pod) (").removesuffix(")"): rule["record"]
    for group in yaml.safe_load(_RULES.read_text())["groups"]
    for rule in group["rules"]
}
VISITS, EVENTS, USED, PEOPLE, PLACES = (
    "suffix: visites",
    "suffix: év.",
    "suffix: utilisations",
    "suffix: pers.",
    "suffix: étab.",
)
#: Users below `users_shown_min` are NaN.
_FEW = dm.SpecialValueMap(
    options=dm.DashboardSpecialValueMapOptions(
        match=dm.SpecialValueMatch.NA_N, result=dm.ValueMappingResult(text="trop peu", index=0)
    )
)
SECONDS, SHARE, RATIO, COUNT = "s", "percentunit", "suffix: ×", "none"
#: Settled minutes of the tables; the offset is how long a minute takes to settle.
LAST_MINUTES = "[5m] offset 2m"


def now(metric: str, selector: str = "") -> str:
    """A gauge or counter of now: the recorded series, which is one whatever the number of observers."""
    return f"{_RECORDED[metric]}{selector}"


def minute(metric: str, selector: str = "", ago_minutes: int = 0) -> str:
    """Settled minutes at their own time: nothing is drawn after the last one, and two observers are one. `ago_minutes` shifts them."""
    ago = f" offset {ago_minutes}m" if ago_minutes else ""
    return f"max without (instance, pod) (last_over_time({metric}{selector}[1m]{ago}))"


def whole(total: str, metric: str, selector: str = "", *, ago_minutes: int = 0) -> str:
    """`total`, `sum` or `sum by (...)`, of settled minutes that have one before them: the minute in which counting began is not whole."""
    before = minute(metric, selector, ago_minutes + 1)
    return f"{total} ({minute(metric, selector, ago_minutes)}) and on () sum ({before})"


def lately(metric: str, selector: str = "") -> str:
    """The sum of the last five settled minutes."""
    return f"max without (instance, pod) (sum_over_time({metric}{selector}{LAST_MINUTES}))"


def named(expression: str, label: str) -> str:
    """With the French name of a region, service or project beside its code: today's, also for minutes that were scraped late."""
    return f"({expression}) * on ({label}) group_left (name) max by ({label}, name) (ent_{label}_info @ end())"


def placed(expression: str) -> str:
    """Of a region and a service, with `title`: `Bretagne – Notes`."""
    with_place = f'label_replace({named(expression, "region")}, "place", "$1", "name", "(.+)")'
    titles = f'label_join({named(with_place, "service")}, "title", " – ", "place", "name")'
    return f"max by (title) ({titles})"


_ALERT = "kind, scope, region, service, project"


def titled(metric: str, selector: str = "") -> str:
    """Of incidents (alerts that explain others, and that somebody is called for): with what one is called in French as `title`."""
    of_incidents = f"{now(metric, selector)} and on ({_ALERT}) {now('ent_incident_alerts')}"
    return f"({of_incidents}) * on ({_ALERT}) group_left (title) max by ({_ALERT}, title) (ent_alert_info)"


def folded() -> str:
    """How many alerts run in each incident, its own included, with its `title`."""
    alerts = f"sum by ({_ALERT}) ({now('ent_incident_alerts')})"
    return f"{alerts} * on ({_ALERT}) group_left (title) max by ({_ALERT}, title) (ent_alert_info)"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `name` is its legend in Grafana's notation."""

    expression: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a panel says of itself: what it is, what to check when it looks wrong, and the runbook that goes with it."""

    what: str
    if_wrong: str
    runbook: str = "EntNoData"

    @property
    def text(self) -> str:
        """The description."""
        return f"{self.what}\n\nSi ce panneau semble faux : {self.if_wrong}\n\nProcédure : {self.runbook}"


def _link(about: About) -> list[Any]:
    link = dashboard.DashboardLink("Procédure").type(dm.DashboardLinkType.LINK).target_blank(True)
    return [link.url(f"{PAGE}/runbooks/{about.runbook}")]


def _target(query: Query, ref: int, *, instant: bool, as_table: bool = False) -> Any:
    target = (
        prometheus.Dataquery().expr(query.expression).ref_id(chr(ord("A") + ref)).legend_format(query.name or "__auto")
    )
    if as_table:
        target = target.format(pm.PromQueryFormat.TABLE)
    return target.instant() if instant else target.range().interval("1m")


def _common(
    panel: Any,
    title: str,
    unit: str,
    about: About,
    queries: Sequence[Query],
    size: tuple[int, int],
    *,
    instant: bool,
    as_table: bool = False,
) -> Any:
    panel = panel.title(title).unit(unit).description(about.text).datasource(SOURCE).links(_link(about))
    panel = panel.span(size[0]).height(size[1]).no_value("aucune donnée")
    if unit == PEOPLE:
        panel = panel.mappings([_FEW])
    for number, query in enumerate(queries):
        panel = panel.with_target(_target(query, number, instant=instant, as_table=as_table))
    return panel


def big(
    title: str,
    unit: str,
    about: About,
    *queries: Query,
    size: tuple[int, int] = (4, 5),
    steps: Sequence[tuple[float | None, str]] = (),
    decimals: int = 0,
    words: Mapping[int, str] | None = None,
) -> Any:
    """One number, or a few; coloured by `steps` (from which value, colour); `words` stand in place of values."""
    panel = _common(stat.Panel(), title, unit, about, queries, size, instant=True).decimals(decimals)
    panel = panel.graph_mode(cm.BigValueGraphMode.NONE).reduce_options(
        common.ReduceDataOptions().calcs(["lastNotNull"])
    )
    if words:
        texts = {str(value): dm.ValueMappingResult(text=word, index=n) for n, (value, word) in enumerate(words.items())}
        panel = panel.mappings([dm.ValueMap(options=texts)])
    if not steps:
        return panel.color_mode(cm.BigValueColorMode.NONE)
    thresholds = dashboard.ThresholdsConfig().mode(dm.ThresholdsMode.ABSOLUTE)
    thresholds = thresholds.steps([dm.Threshold(value=value, color=colour) for value, colour in steps])
    return (
        panel.thresholds(thresholds)
        .color_scheme(dashboard.FieldColor().mode(dm.FieldColorModeId.THRESHOLDS))
        .color_mode(cm.BigValueColorMode.VALUE)
    )


def lines(
    title: str, unit: str, about: About, *queries: Query, size: tuple[int, int] = (12, 8), decimals: int = 0
) -> Any:
    """Lines over time, from zero; gaps stay gaps, because a missing minute is not a zero."""
    panel = _common(timeseries.Panel(), title, unit, about, queries, size, instant=False).decimals(decimals).min(0)
    legend = (
        common.VizLegendOptions()
        .display_mode(cm.LegendDisplayMode.LIST)
        .placement(cm.LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    return (
        panel.legend(legend)
        .line_width(2)
        .fill_opacity(0)
        .span_nulls(False)
        .show_points(cm.VisibilityMode.AUTO)
        .tooltip(common.VizTooltipOptions().mode(cm.TooltipDisplayMode.MULTI))
    )


def rows(
    title: str,
    unit: str,
    about: About,
    label: str,
    columns: Sequence[tuple[str, str, str]],
    *,
    size: tuple[int, int] = (12, 10),
    said: tuple[str, str] | None = None,
) -> Any:
    """A table of one row a `label`; a column is a title, a unit and an expression whose series carry that label and a `name`. The highest
    of the first column stand first.

    A `title` is its own name. `said`: of the last column not the value is shown but this label, under this title.
    """
    queries = [Query(expression) for _title, _unit, expression in columns]
    panel = _common(table.Panel(), title, unit, about, queries, size, instant=True, as_table=True)
    panel = panel.with_transformation(
        dm.DataTransformerConfig(id_val="joinByField", options={"byField": label, "mode": "outer"})
    )
    # Grafana calls the value of query A `Value #A` (of an only one `Value`) and repeats the other labels with a number: only the first
    # name stays.
    letters = [chr(ord("A") + number) for number in range(len(columns))]
    renamed = {f"Value #{letter}": column[0] for letter, column in zip(letters, columns, strict=True)}
    renamed |= {"Value": columns[0][0]}
    hidden = {f"Time{suffix}": True for suffix in ("", *(f" {n}" for n in range(1, len(columns) + 1)))}
    hidden |= {f"{other} {n}": True for other in ("name", "job") for n in range(2, len(columns) + 1)} | {
        "job": True,
        label: label != "title",
    }
    renamed |= {"name 1": "Nom", "name": "Nom", "title": "Nom"}
    if said is not None:
        hidden[f"Value #{letters[-1]}"] = True
        renamed |= {f"{said[0]}{suffix}": said[1] for suffix in ("", f" {len(columns)}")}
    panel = panel.with_transformation(
        dm.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden, "renameByName": renamed})
    )
    panel = panel.sort_by([common.TableSortByFieldState().display_name(columns[0][0]).desc(True)])
    for name, column_unit, _expression in columns:
        values = [dm.DynamicConfigValue(id_val="unit", value=column_unit)]
        if column_unit == PEOPLE:
            values.append(dm.DynamicConfigValue(id_val="mappings", value=[_FEW]))
        panel = panel.override_by_name(name, values)
    return panel


def board(title: str, uid: str, tags: Sequence[str], variables: Sequence[Any]) -> Any:
    """An empty board: French, read only, refreshed every 5 s, the last two hours."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .tags(["vigie", *tags])
        .timezone("Europe/Paris")
        .refresh("5s")
        .time("now-2h", "now")
    )
    built = built.readonly().tooltip(dm.DashboardCursorSync.CROSSHAIR)
    built = built.link(
        dashboard.DashboardLink("Vigie").type(dm.DashboardLinkType.DASHBOARDS).tags(["vigie"]).keep_time(True)
    )
    page = dashboard.DashboardLink("Page directe").type(dm.DashboardLinkType.LINK).url(f"{PAGE}/").target_blank(True)
    built = built.link(page).with_variable(dashboard.ConstantVariable("vigie").value(PAGE_DEFAULT))
    for variable in (dashboard.DatasourceVariable("datasource").label("Source").type("prometheus"), *variables):
        built = built.with_variable(variable)
    alerts = titled("ent_alert_active")
    annotation = dm.AnnotationQuery(
        name="Alertes",
        datasource=SOURCE,
        enable=True,
        icon_color="red",
        expr=alerts,
    )
    return built.annotation(_Annotation(annotation))


class _Annotation:
    """Prometheus's own members of an annotation, which the SDK's type does not know."""

    def __init__(self, base: dm.AnnotationQuery) -> None:
        self._base = base

    def build(self) -> Any:
        """The annotation, as the SDK's encoder writes it."""
        return _WithMembers(
            self._base,
            {"step": "60s", "titleFormat": "{{title}}", "useValueForTime": False},
        )


class _WithMembers:
    def __init__(self, base: Any, more: dict[str, Any]) -> None:
        self._base, self._more = base, more

    def to_json(self) -> dict[str, object]:
        """All members."""
        return {**self._base.to_json(), **self._more}


def of_list(name: str, label: str, metric: str) -> Any:
    """A variable whose choices are the codes of a list, shown by their names; several may be chosen, all at first."""
    found = dashboard.QueryVariable(name).label(label).datasource(SOURCE).multi(True).include_all(True).all_value(".*")
    found = found.refresh(dm.VariableRefresh.ON_DASHBOARD_LOAD).sort(dm.VariableSort.ALPHABETICAL_ASC)
    if metric.endswith("_info"):
        return found.query(f"query_result(max by ({name}, name) ({metric}))").regex(
            rf'/name="(?<text>[^"]+)".*{name}="(?<value>[^"]+)"/'
            if name > "name"
            else rf'/{name}="(?<value>[^"]+)".*name="(?<text>[^"]+)"/'
        )
    return found.query(f"label_values({metric}, {name})")
