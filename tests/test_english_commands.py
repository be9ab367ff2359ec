"""Commands speak English: no text holds a French letter but in the modules that write pages, e-mails and boards."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "streams"
#: What writes for screens, or reads French; a page, or a part of one, may say so by its name as well.
FOR_SCREENS = {
    "access/login.py": "a page",
    "clock.py": "names of days and months",
    "csv_file.py": "accents in names of columns",
    "expose/alert_french.py": "alerts",
    "expose/alert_samples.py": "boards and e-mails",
    "expose/scope.py": "the page's title",
    "forecast/kept.py": "the page of a forecast",
    "history/calendar_config.py": "names of holidays",
    "history/estimate.py": "the name of a mark",
    "history/report_words.py": "the report's page",
    "load_test/load_events.py": "what a load test is from",
    "publish/fields.py": "what logs write",
    "rehearse/plot.py": "a page",
    "simulate/step.py": "odd events",
}
SPEAKING = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if (name := path.relative_to(ROOT).as_posix()) not in FOR_SCREENS
    and not re.search(r"\bpage\b|_page\b|_french\b", name)
]
#: A word that English borrowed; the name of a mark that the ministry's figures carry in every output.
BORROWED = re.compile(r"[Rr]entrée|estimée d'après le DNMA")
FRENCH = re.compile(r"[àâçèéêëîïôœùûÀÂÇÈÉÊËÎÏÔŒÙÛ«»]")


def french(path: Path) -> list[str]:
    """The string literals of a module, docstrings of functions included (click prints them), that hold a French letter."""
    tree = ast.parse(path.read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [f"{path.name}: {text[:60]!r}" for text in texts if FRENCH.search(BORROWED.sub("", text))]


def test_no_command_speaks_french() -> None:
    assert len(SPEAKING) > 200
    assert [found for path in SPEAKING for found in french(path)] == []


def test_the_rule_can_fail() -> None:
    assert all(french(ROOT / name) for name in FOR_SCREENS)
