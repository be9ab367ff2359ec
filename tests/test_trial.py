"""`vigie trial` over made-up logs: the page tells the outage with what drove it, and what was not readable; nothing is fetched."""

import ast
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench.logs import make_logs
from streams.cli import cli
from streams.pages import french
from streams.publish.lines import OVER_LINES, TOO_LONG
from streams.trial.trial_page import FRENCH, in_french

ROOT = Path(__file__).resolve().parents[1]
DAYS = 32
LAST = date(2026, 6, 26)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Result]:
    """The page of five weeks of logs, one line of which is broken, and one file of which is cut off."""
    directory = tmp_path_factory.mktemp("trial")
    files = make_logs(directory, LAST - timedelta(days=DAYS - 1), LAST, 500)
    (directory / "odd.log").write_text("no line of a log\n")
    (directory / "cut.gz").write_bytes(files[0].read_bytes()[:-900])
    names = [str(path) for path in (*files, directory / "odd.log", directory / "cut.gz")]
    asked = ["trial", "--format", "combined", "--project", "pcn", "--html", str(directory / "out.html"), *names]
    result = CliRunner().invoke(cli, asked)
    assert isinstance(result.exception, SystemExit), result.exception
    return (directory / "out.html").read_text(encoding="utf-8"), result


def test_it_says_what_was_not_read_and_ends_with_1(page: tuple[str, Result]) -> None:
    text, result = page
    assert result.exit_code == 1
    assert "ligne 1 : pas une ligne de journal au format « combined »" in text
    assert "le fichier compressé s&#39;arrête au milieu, après la ligne" in text
    assert "Fichiers lus en partie" in text
    assert "cut.gz" in text
    # The cut file holds lines of the first one: the same events, which count once.
    assert re.search(r"dont [1-9][\d\u202f]* répétés", text)


def test_it_tells_the_outage_with_what_drove_it(page: tuple[str, Result]) -> None:
    text, _result = page
    assert re.search(r"<h3>(Silence|Chute), [^<]*10:1[0-9]", text), re.findall(r"<h3>[^<]*", text)
    assert "Face aux mêmes minutes des semaines d'avant" in text
    assert text.count("<svg") >= 4


def test_what_drove_an_alert_went_its_way(page: tuple[str, Result]) -> None:
    text, _result = page
    rows = re.findall(
        r"<tr><td>(Hausse|Chute|Silence)</td>.*?<td class=text>([^<]* contre [^<]*)</td></tr>", text, re.DOTALL
    )
    assert rows
    for kind, told in rows:
        for seen, usual in re.findall(r"([\d\u202f]+) contre ([\d\u202f]+)", told):
            rose = int(seen.replace(french.THIN, "")) > int(usual.replace(french.THIN, ""))
            assert rose == (kind == "Hausse"), (kind, told)


def test_what_is_no_event_is_told_in_french(page: tuple[str, Result]) -> None:
    text, _result = page
    assert "élément d" in text
    assert not [english for english in FRENCH if english in text]


def _reasons() -> list[str]:
    """What readers may say, `x` for what they quote: the texts of `Unreadable`, `Skip` and their like in `streams.publish`."""
    told = {"Unreadable", "Skip", "NotAnObject", "kind_of"}
    texts = list[ast.expr]()
    for path in (ROOT / "streams/publish").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in told:
                texts += node.args[:1]
            elif isinstance(node, ast.FunctionDef) and node.name in {"_damage", "_named_twice", "_named_otherwise"}:
                texts += [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
    parts = [part for text in texts for part in ((text.body, text.orelse) if isinstance(text, ast.IfExp) else (text,))]
    return [said for part in parts if (said := _said(part))]


def _said(text: ast.expr) -> str:
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return text.value
    if isinstance(text, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else "x" for each in text.values)
    return {"TOO_LONG": TOO_LONG, "OVER_LINES": OVER_LINES}.get(ast.unparse(text), "")


def test_each_reason_of_the_readers_is_known_in_french() -> None:
    reasons = _reasons()
    assert len(reasons) > 45
    same = {"event-type", "x x"}  # a name, and what `kind_of` makes of it
    unknown = [reason for reason in reasons if reason not in same and in_french(reason) == reason]
    assert set(unknown) == {"method"}
    assert in_french("method POST") == "méthode POST"
    assert in_french("its parameter UAI is written '{uai}'") == "le paramètre UAI est écrit '{uai}'"


def test_it_needs_nothing_else_and_names_nobody(page: tuple[str, Result]) -> None:
    text, _result = page

    fetched: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            fetched.extend(f"{tag} {name}" for name, _value in attrs if name in ("src", "href"))
            if tag in ("script", "link", "iframe"):
                fetched.append(tag)

    Reader().feed(text)
    assert fetched == []
    assert "url(" not in text
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", text)
    assert not re.search(r"[0-9a-f]{64}|\bu[0-9]{1,4}\b", text)
    assert "prefers-color-scheme:dark" in text
    assert french.THIN in text
