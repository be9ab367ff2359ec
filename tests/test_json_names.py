"""The members of every answer that programs read (`--json`, the API), against the one list of docs/json.md."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from streams.audit.recount import ASPECTS, CODES, VISIT_ASPECTS, Compared, Difference, Recount
from streams.audit.rejects import Rejected, Whole
from streams.cli import cli
from streams.cli.audit import _json as recount_json
from streams.cli.rejects import _row as reject_row
from streams.collect.door import Answer
from streams.collect.event_lines import RefusedLine
from streams.events import Reason
from streams.expose.http_app import Parts, create_app
from streams.history.archive import Archive
from streams.local.supervisor import ProcessStatus, State
from streams.simulate.past_days import PastMaker, load_inputs

ROOT = Path(__file__).resolve().parent.parent
#: Members whose own members are codes: reasons, windows.
CODED = {"reasons", "rejected", "users"}
#: Commands whose rows are those of a route, by the same struct or function.
OF_ROUTES = {"alerts", "minutes", "status", "unseen"}
Kinds = dict[str, set[str]]


def listed() -> Kinds:
    """Name -> what it may be, as docs/json.md has it."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", (ROOT / "docs" / "json.md").read_text(), re.MULTILINE)
    assert len({name for name, _kinds in rows}) == len(rows), "a name stands twice"
    return {name: set(kinds.strip().split(", ")) for name, kinds in rows}


def kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "yes or no"
    names = {str: "text", int: "number", float: "number", list: "list", dict: "object"}
    return next(name for type_, name in names.items() if isinstance(value, type_))


def members(value: Any) -> Iterator[tuple[str, str]]:
    """(name, what it is) of every member at any depth; null says nothing."""
    if isinstance(value, list):
        for one in value:
            yield from members(one)
    if isinstance(value, dict):
        for name, one in value.items():
            if one is not None:
                yield name, kind_of(one)
            yield from [] if name in CODED and isinstance(one, dict) else members(one)


def described(schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The same of an OpenAPI description."""
    names = {
        "string": "text",
        "integer": "number",
        "number": "number",
        "boolean": "yes or no",
        "array": "list",
        "object": "object",
    }
    for struct in schema["components"]["schemas"].values():
        for name, one in struct["properties"].items():
            for may_be in one.get("anyOf", [one]):
                kind = "object" if "$ref" in may_be else names.get(may_be["type"])
                yield from [(name, kind)] if kind else []


def with_json(command: click.Command, context: click.Context, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The commands that have `--json`."""
    if any("--json" in option.opts for option in command.params):
        yield " ".join(path)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from with_json(found, context, (*path, name))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rentrée that a project joined, Tuesdays after it, and a Saturday of the year before."""
    directory = tmp_path_factory.mktemp("names") / "archive"
    made, days = PastMaker(load_inputs(ROOT / "config", 1, 0.002)), Archive(directory)
    days.prepare(simulated=True)
    for day in ("2025-09-06", "2026-09-01", "2026-09-08", "2026-09-15"):
        days.write(made.day(date.fromisoformat(day)))
    return directory


def asked(*words: str) -> Any:
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def outputs(archive: Path, directory: Path) -> dict[str, Any]:
    """Command -> what it prints, for those that no route answers."""
    counts = directory / "counts.csv"
    rows = [
        f"2026-09-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}:00Z,{900 if n == 24_500 else 100}"
        for n in range(25_000)
    ]
    counts.write_text("\n".join(["timestamp,count", *rows]))
    rehearsed = asked("rehearse", "--counts", str(counts), "--json")
    report = asked(
        "report", "day", "--day", "2026-09-01", "--against", "2025-09-06", "--archive", str(archive), "--json"
    )
    assert rehearsed
    assert report["perimeter"]["changes"]
    assert report["unlike_days"]
    differences = tuple(Difference(1, (aspect, *("x" for _ in codes)), 1, 2) for aspect, codes in CODES.items())
    compared = Compared(1, len(differences), differences)
    recount = Recount(
        records=1, seconds=1.0, compared=compared, totals_compared=True, notes=("n",), service_visits=(1, 1)
    )
    forecast = asked("forecast", "--date", "2026-09-22", "--by", "region", "--archive", str(archive), "--json")
    assert forecast
    return {
        "forecast": forecast,
        "rehearse": rehearsed,
        "report day": report,
        "recount": recount_json(recount),
        "rejects list": reject_row(
            Rejected("t-0-1", "not_json", 1, b"k", b"v", "mbn", 0, Whole(9, "00")), replayed=True
        ),
    }


def test_every_member_of_every_answer_is_in_the_one_list_and_is_what_it_says(
    archive: Path, tmp_path: Path, catalog: Any
) -> None:
    found: Kinds = {}
    answers = outputs(archive, tmp_path)
    process = ProcessStatus("worker", 1, 2, State.RUNNING, 3, 4, 5.0, "exit code 1")
    started = {name: getattr(process, name) for name in ProcessStatus.__slots__}
    workers = {"role": "worker", "pid": 1, "state": "running", "port": 1, "name": "a", "partitions": [1]}
    collected = asdict(Answer(1, 1, {"not_json": 1}, [RefusedLine(1, Reason.NOT_JSON)], 1))
    other = [started | {"started_at": "", "state": ""}, workers, collected]
    for name, kind in [*described(api(catalog)), *members([*answers.values(), *other])]:
        found.setdefault(name, set()).add(kind)
    assert found == listed()


def test_no_command_with_json_was_left_out(archive: Path, tmp_path: Path) -> None:
    known = {"report period", "report rentree", *OF_ROUTES, *outputs(archive, tmp_path)}
    assert set(with_json(cli, click.Context(cli))) == known
    assert set(CODES) == {*ASPECTS.values(), *VISIT_ASPECTS.values()}


def api(catalog: Any) -> dict[str, Any]:
    """The description of the API, of an application that answers nobody."""

    class Anything:
        def __getattr__(self, name: str) -> Any:
            return catalog if name == "catalog" else Anything()

    parts = SimpleNamespace(**{name: Anything() for name in Parts.__dataclass_fields__})
    parts.shift_seconds, parts.runbooks = 0, ROOT / "deploy" / "runbooks"
    return create_app(parts).openapi()  # type: ignore[arg-type]
