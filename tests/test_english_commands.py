"""Commands speak English: no text of the rooms that print to a terminal holds a French letter; French is for pages, e-mails and boards."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "streams"
#: What prints to a terminal, or is printed by it as it is.
SPEAKING = [
    *(path for room in ("cli", "audit", "local", "publish", "ingest", "live") for path in (ROOT / room).glob("*.py")),
    *(
        ROOT / "expose" / f"{name}.py"
        for name in ("alert_english", "minutes_text", "status", "status_tables", "unseen")
    ),
    *(
        ROOT / "history" / f"{name}.py"
        for name in ("report_text", "report_tables", "held", "transfer", "weekly", "marks")
    ),
    *(ROOT / "rehearse").glob("counts*.py"),
    ROOT / "errors.py",
    ROOT / "settings.py",
]
#: A word that English borrowed; the name of a mark that the ministry's figures carry in every output; the page's own link in a text.
BORROWED = re.compile(r"[Rr]entrée|estimée d'après le DNMA")
FRENCH = re.compile(r"[àâçèéêëîïôœùûÀÂÇÈÉÊËÎÏÔŒÙÛ«»]")


def french(path: Path) -> list[str]:
    """The string literals of a module, docstrings of functions included (click prints them), that hold a French letter."""
    tree = ast.parse(path.read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [f"{path.name}: {text[:60]!r}" for text in texts if FRENCH.search(BORROWED.sub("", text))]


def test_no_command_speaks_french() -> None:
    assert len(SPEAKING) > 80
    assert all(path.exists() for path in SPEAKING)
    assert [found for path in SPEAKING for found in french(path)] == []


def test_the_rule_can_fail() -> None:
    assert french(ROOT / "expose" / "alert_french.py")
