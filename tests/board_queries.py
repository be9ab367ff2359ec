"""The queries of Grafana's boards, as their files hold them, and as Grafana would send them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
#: What Grafana puts in place of its variables, with everything chosen.
CHOSEN = {
    "$__rate_interval": "1m", "$region": ".*", "$service": ".*", "$project": ".*", "$academy": ".*", "${datasource}": "prometheus"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """One query; `where` names it, `is_instant` asks for one moment, else a range."""

    where: str
    expression: str
    is_instant: bool

    @property
    def sent(self) -> str:
        """With everything chosen."""
        text = self.expression
        for name, value in CHOSEN.items():
            text = text.replace(name, value)
        return text


def boards() -> dict[str, Any]:
    """Title -> the file's content."""
    found = [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]
    return {board["title"]: board for board in found}


def panels(board: Any) -> list[Any]:
    """All panels but rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> list[BoardQuery]:
    """Of panels, variables and annotations."""
    found = []
    for title, board in boards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                where = f"{title} / {panel['title']} / {target['refId']}"
                found.append(BoardQuery(where, target["expr"], bool(target.get("instant"))))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                found.append(BoardQuery(f"{title} / ${variable['name']}", variable_query(variable["query"]), True))
        for annotation in board["annotations"]["list"]:
            found.append(BoardQuery(f"{title} / annotation {annotation['name']}", annotation["expr"], False))
    return found


def variable_query(text: str) -> str:
    """The PromQL in Grafana's `query_result(...)`, or the metric of `label_values(metric, label)`."""
    if inner := re.fullmatch(r"query_result\((.*)\)", text):
        return inner[1]
    values = re.fullmatch(r"label_values\((\w+), (\w+)\)", text)
    assert values, text
    return f"count by ({values[2]}) ({values[1]})"
