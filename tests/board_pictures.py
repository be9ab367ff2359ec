"""Grafana's boards as pictures, without Grafana: each panel's queries are asked of a Prometheus and drawn as its type would.

    python -m tests.board_pictures --prometheus http://127.0.0.1:19090 [--out docs/img] [--hours 1]

It reads the dashboard files, so a panel that asks nothing, or whose figures have no unit or no name, is seen here. It draws what these
boards use (stat, time series, table; units, thresholds, mappings, overrides by name) and refuses what it does not know.
"""

import argparse
import json
import re
import time
import urllib.parse
import urllib.request
from html import escape
from pathlib import Path
from typing import Any

from tests.board_panels import COLUMN, DRAW, ROW, DrawnSeries, Span
from tests.board_queries import CHOSEN, boards, panels
from tests.servers.browser import WALL, chromium

POINTS = 240
#: Pixels of a picture for each of the screen: a board is large.
SCALE = 0.75
_STYLE = f"""
body {{ margin: 0; background: #f4f5f5; font: 13px "DejaVu Sans", sans-serif; color: #24292e; width: {24 * COLUMN}px }}
h1 {{ font-size: 20px; margin: 10px 12px }}
#grid {{ position: relative }}
section {{ position: absolute; box-sizing: border-box; border: 3px solid #f4f5f5; background: #fff; padding: 6px 8px; overflow: hidden }}
h2 {{ font-size: 13px; margin: 0 0 4px }}
.stats {{ display: flex; height: calc(100% - 26px); align-items: center; justify-content: space-around; text-align: center }}
.stats b {{ font-size: 30px; display: block; font-weight: 600 }}
.none {{ color: #888; padding: 20px; text-align: center }}
table {{ border-collapse: collapse; width: 100% }}
th {{ text-align: left; color: #1f60c4 }} td, th {{ border-bottom: 1px solid #e4e5e6; padding: 3px 6px }} td.n, th.n {{ text-align: right }}
.legend span {{ margin-right: 12px; white-space: nowrap }}
"""


def ask(prometheus: str, panel: Any, span: Span) -> list[list[DrawnSeries]]:
    """For each target of a panel, its series."""
    found = []
    for target in panel["targets"]:
        text = target["expr"]
        for name, value in CHOSEN.items():
            text = text.replace(name, value)
        if target.get("instant"):
            path, given = "query", {"query": text, "time": span.end}
        else:
            step = max(60, int((span.end - span.first) / POINTS / 60) * 60)
            path, given = "query_range", {"query": text, "start": span.first, "end": span.end, "step": step}
        with urllib.request.urlopen(
            f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(given)}", timeout=30
        ) as answer:
            result = json.load(answer)["data"]["result"]
        found.append(
            [
                DrawnSeries(
                    _legend(target, one["metric"]),
                    one["metric"],
                    [(float(at), float(value)) for at, value in one.get("values") or [one["value"]]],
                )
                for one in result
            ]
        )
    return found


def _legend(target: Any, labels: dict[str, str]) -> str:
    form = target.get("legendFormat") or "__auto"
    if form != "__auto":
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), form)
    own = {name: value for name, value in labels.items() if name != "__name__"}
    return ", ".join(own.values()) or labels.get("__name__", "")


def page(title: str, board: Any, prometheus: str, span: Span) -> str:
    """One board as a page."""
    parts = []
    bottom = 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        bottom = max(bottom, place["y"] + place["h"])
        drawn = "" if panel["type"] == "row" else DRAW[panel["type"]](panel, ask(prometheus, panel, span), span)
        parts.append(
            f'<section style="left:{place["x"] * COLUMN}px; top:{place["y"] * ROW}px; width:{place["w"] * COLUMN}px; '
            f'height:{place["h"] * ROW}px"><h2>{escape(panel["title"])}</h2>{drawn}</section>'
        )
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><h1>{escape(title)}</h1>'
        f'<div id="grid" style="height:{bottom * ROW}px">{"".join(parts)}</div>'
    )


def take_boards(prometheus: str, out: Path, hours: float = 1.0) -> list[Path]:
    """A picture of each board, named after its file: `tableau-direct.png`."""
    span = Span(time.time() - hours * 3600, time.time())
    pages = {board["uid"]: page(title, board, prometheus, span) for title, board in boards().items()}
    assert all(panels(board) for board in boards().values())
    written = []
    with chromium() as browser:
        for uid, text in pages.items():
            opened = browser.new_page(viewport={"width": 24 * COLUMN, "height": WALL[1]}, device_scale_factor=SCALE)
            opened.set_content(text)
            written.append(out / f"tableau-{uid.removeprefix('vigie-')}.png")
            opened.screenshot(path=written[-1], full_page=True)
            opened.close()
    return written


def main() -> None:
    """Draw all boards."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--prometheus", default="http://127.0.0.1:19090")
    parser.add_argument("--out", type=Path, default=Path("docs/img"))
    parser.add_argument("--hours", type=float, default=1.0)
    arguments = parser.parse_args()
    for path in take_boards(arguments.prometheus, arguments.out, arguments.hours):
        print(path)


if __name__ == "__main__":
    main()
