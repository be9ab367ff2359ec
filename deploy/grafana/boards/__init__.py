"""Grafana's three boards, in Python; `make boards` writes them to `deploy/grafana/dashboards/`. In French, as operators read them."""

import json
import re
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from . import chain, live, places

DIRECTORY = Path(__file__).resolve().parent.parent / "dashboards"


def boards() -> dict[str, str]:
    """File name -> content."""
    built = {"direct": live.board(), "region-et-service": places.board(), "sante-de-la-chaine": chain.board()}
    return {f"{name}.json": _text(board) for name, board in built.items()}


def _text(board: Any) -> str:
    text = JSONEncoder(sort_keys=True, indent=2).encode(board)
    return json.dumps(json.loads(re.sub(r"\r", "", text)), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
