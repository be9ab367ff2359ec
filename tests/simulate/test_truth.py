"""The truth: equal to a recount by plain code, kept whole, gone on from, and bounded."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.errors import InputError
from streams.settings import default_config_dir
from streams.simulate import book as book_module
from streams.simulate.book import TruthBook
from streams.simulate.inputs import (
    Configuration,
    FileRequest,
    earlier_truth,
    make_book,
    plan_file,
    steps_of,
    write_file,
)
from streams.simulate.step import Step
from streams.simulate.traffic import Generator
from streams.simulate.truth import load_truth
from tests.simulate.conftest import CLOCK_S, MakePlan


class PlainLists:
    """The lists read with plain code, so that the recount shares nothing with `streams`."""

    def __init__(self) -> None:
        def read(name: str) -> Any:
            return yaml.safe_load((default_config_dir() / f"{name}.yaml").read_text())[name]

        self.services = {item["code"] for item in read("services")}
        self.profiles = {item["code"] for item in read("profiles")}
        self.projects = {item["id"] for item in read("projects")}
        self.places = {}
        for region in read("regions"):
            for academy in region["academies"]:
                for departement in academy["departements"]:
                    prefix = {"2A": "620", "2B": "720"}.get(departement, departement.zfill(3))
                    self.places[prefix] = (region["code"], academy["code"])

    def place(self, uai: object) -> tuple[str, str]:
        known = isinstance(uai, str) and len(uai) == 8 and uai[:7].isdigit()
        if not known or "ABCDEFGHJKLMNPRSTUVWXYZ"[int(uai[:7]) % 23] != uai[7]:  # type: ignore[index]
            return ("INCONNU", "INCONNU")
        return self.places.get(uai[:3], ("INCONNU", "INCONNU"))  # type: ignore[index]


def broken(event: dict[str, Any]) -> bool:
    texts = ("service", "project", "profile", "uai", "type", "tool", "device")
    return not (
        type(event.get("v")) is int
        and event["v"] == 1
        and type(event.get("ts")) is int
        and isinstance(event.get("id"), str)
        and 0 < len(event["id"]) <= 64
        and isinstance(event.get("visitor"), str)
        and 0 < len(event["visitor"]) <= 128
        and all(event.get(name) is None or isinstance(event[name], str) for name in texts)
    )


def recount(lines: list[str]) -> tuple[dict[str, Counter[Any]], dict[str, Counter[Any]], int]:
    """(distinct, repeats) by cut, and the number of broken lines."""
    lists = PlainLists()
    kinds: tuple[dict[str, Counter[Any]], dict[str, Counter[Any]]] = ({}, {})
    seen: set[str] = set()
    rejected = 0
    for line in lines:
        event = json.loads(line)
        if broken(event):
            rejected += 1
            continue
        into = kinds[event["id"] in seen]
        seen.add(event["id"])
        region, academy = lists.place(event.get("uai"))
        service = event.get("service") if event.get("service") in lists.services else "INCONNU"
        project = event.get("project") if event.get("project") in lists.projects else "INCONNU"
        profile = event.get("profile") if event.get("profile") in lists.profiles else "INCONNU"
        minute = event["ts"] // 60_000
        for cut, codes in (
            ("region_service", (region, service)),
            ("project", (project,)),
            ("profile_region", (profile, region)),
            ("academy", (academy,)),
        ):
            into.setdefault(cut, Counter())[(minute, codes)] += 1
    return *kinds, rejected


@pytest.mark.parametrize(("name", "begin"), [("storm", 470), ("ordinary", 600), ("rentree", 475)])
def test_truth_equals_a_plain_recount(
    name: str, begin: int, configurations: dict[str, Configuration], tmp_path: Path
) -> None:
    configuration = configurations[name]
    first_s = configuration.scenario.at(f"{begin // 60:02d}:{begin % 60:02d}")
    request = FileRequest(3, 0.05, None, False, first_s, CLOCK_S + 17, 180)
    plan, request = plan_file(configuration, request, CLOCK_S)
    generator = Generator(plan)
    book = make_book(plan, generator)
    path, truth_path = tmp_path / "events.ndjson", tmp_path / "truth.json"
    write_file(steps_of(generator, request), book, path, lambda line: None)
    book.save(truth_path, complete=True)

    lines = path.read_text().splitlines()
    truth = load_truth(truth_path)
    distinct, repeats, rejected = recount(lines)
    assert truth.complete
    assert truth.published == len(lines) == truth.events + truth.duplicates + truth.rejected_total
    assert truth.rejected_total == rejected > 0
    assert min(truth.minutes) == CLOCK_S // 60
    assert len(truth.minutes) == 4  # three minutes of traffic that begin 17 s into one
    for cut in ("region_service", "project", "profile_region", "academy"):
        assert truth.expected(cut, with_duplicates=False) == dict(distinct[cut])
        assert truth.expected(cut, with_duplicates=True) == dict(distinct[cut] + repeats[cut])
        assert sum(truth.expected(cut, with_duplicates=False).values()) == truth.events
    unknown = [codes for _minute, codes in truth.expected("region_service", with_duplicates=False)]
    assert any(region == "INCONNU" for region, _service in unknown)
    assert any(service == "INCONNU" for _region, service in unknown)


def make(make_plan: MakePlan, seconds: int, number: int | None = None) -> tuple[TruthBook, list[Step]]:
    """A book with the first `number` of so many steps (None: all), and all steps."""
    generator = Generator(make_plan("storm", "07:58", 0.005))
    made = [generator.next_step() for _ in range(seconds)]
    book = make_book(generator.plan, generator)
    for step in made[:number]:
        book.add(step)
    return book, made


def test_gone_on_from_an_earlier_run_is_the_sum(make_plan: MakePlan, tmp_path: Path) -> None:
    whole, _ = make(make_plan, 150)
    first, _ = make(make_plan, 150, 70)
    path = tmp_path / "truth.json"
    first.save(path, complete=False)
    plan = make_plan("storm", "07:58", 0.005)
    earlier = earlier_truth(path, plan.scenario, plan.shift_seconds)
    assert earlier is not None
    assert not earlier.complete
    assert earlier.reached_s == CLOCK_S + 69
    # The cells of a new process may be numbered otherwise: make the second book by its own generator.
    generator = Generator(plan)
    second = make_book(generator.plan, generator)
    second.go_on_from(earlier)
    for number in range(150):
        step = generator.next_step()
        if number >= 70:
            second.add(step)
    second.save(path, complete=True)
    whole.save(tmp_path / "whole.json", complete=True)
    found, wanted = load_truth(path), load_truth(tmp_path / "whole.json")
    assert len(found.runs) == 2
    assert not found.complete  # the first run never ended in order
    assert (found.published, found.events, found.duplicates) == (wanted.published, wanted.events, wanted.duplicates)
    assert found.rejected == wanted.rejected
    assert found.minutes == wanted.minutes


def test_an_unacknowledged_event_makes_the_truth_incomplete(make_plan: MakePlan, tmp_path: Path) -> None:
    book, _ = make(make_plan, 3)
    book.save(tmp_path / "t.json", complete=True, unacknowledged=1)
    assert not load_truth(tmp_path / "t.json").complete


def test_minutes_kept_are_bounded_and_totals_stay(
    make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_module, "MINUTES_MAX", 2)
    book, made = make(make_plan, 420)
    book.save(tmp_path / "t.json", complete=True)
    truth = load_truth(tmp_path / "t.json")
    assert truth.minutes_dropped > 0
    assert len(truth.minutes) <= 2 + book_module.SEAL_AFTER_MINUTES + 1
    assert truth.published == sum(len(step) for step in made)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{}", "is not a truth file"), (b"not json", "is not a truth file"), (None, "no truth file")],
)
def test_a_file_that_is_no_truth_is_said_so(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "t.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_truth(path)


def test_another_version_and_another_simulation_are_refused(make_plan: MakePlan, tmp_path: Path) -> None:
    book, _ = make(make_plan, 1)
    path = tmp_path / "t.json"
    book.save(path, complete=True)
    plan = make_plan("storm", "07:58", 0.005)
    assert earlier_truth(tmp_path / "absent.json", plan.scenario, 0) is None
    with pytest.raises(InputError, match="another simulation"):
        earlier_truth(path, plan.scenario, plan.shift_seconds + 1)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":9'))
    with pytest.raises(InputError, match="has version 9"):
        load_truth(path)
