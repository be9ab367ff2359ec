"""Values that no list knows: written with the counts, bounded, cut, forgotten; and what an operator sees of them."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from streams.catalog import load_catalog
from streams.cli import cli
from streams.count import Cut, Delta, Field
from streams.edges import kafka_address
from streams.errors import RedisUnavailable
from streams.live import HeartbeatLine, LiveKeeper, LiveReader, LiveWriter, Outcome, UnseenValue
from streams.live.connection import RedisAddress
from streams.live.unseen import KEPT_MS, LISTS, VALUES_MAX
from streams.observe import catalogs_in_use
from streams.publish import VisitPublisher
from streams.settings import Settings, default_config_dir
from tests.servers.conftest import Installation, RedisServer
from tests.servers.test_live_scripts import Live
from tests.servers.truth import wait_drained
from tests.servers.workers import WorkerProcess, reader_of, workers
from tests.waiting import wait_for

pytestmark = pytest.mark.servers
EVENTS: Field = (Cut.EVENTS, "44", "INCONNU")


@pytest.fixture
def live(redis_server: RedisServer, request: pytest.FixtureRequest) -> Iterator[Live]:
    one = Live(redis_server.url, f"unseen.{abs(hash(request.node.name))}")
    one.prepare()
    yield one
    one.close()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def apply(
    live: Live, start: int | None, end: int, unseen: dict[tuple[str, str], int], at_ms: int | None = None
) -> Outcome:
    at_ms = at_ms or now_ms()
    delta = Delta(start, start or 0, end, at_ms, at_ms, 1, {100: {EVENTS: 1}}, unseen=unseen)
    return live.write(lambda writer: writer.apply({0: [delta]}))[0].outcome


def test_values_are_counted_once_with_their_events(live: Live) -> None:
    at_ms = now_ms()
    unseen = {("service", "DEVOIRS"): 3, ("service", ""): 2, ("project", "mbm"): 1, ("uai", "0541234Z"): 5}
    assert apply(live, None, 10, unseen, at_ms) is Outcome.APPLIED
    assert apply(live, None, 10, unseen, at_ms) is Outcome.ALREADY
    assert apply(live, 10, 20, {("service", "DEVOIRS"): 1, ("service", "BLOG"): 9}, at_ms + 5) is Outcome.APPLIED
    assert live.reader.unseen.values() == [
        UnseenValue("service", "BLOG", 9, at_ms + 5),
        UnseenValue("service", "DEVOIRS", 4, at_ms + 5),
        UnseenValue("service", "", 2, None),
        UnseenValue("project", "mbm", 1, at_ms),
        UnseenValue("uai", "0541234Z", 5, at_ms),
    ]
    assert live.reader.unseen.sizes() == {"service": 2, "profile": 0, "project": 1, "uai": 1}


def test_values_are_kept_as_sent_escaped_and_cut(live: Live) -> None:
    unseen = {
        ("service", "x" * 500): 1,
        ("service", "x" * 64): 1,
        ("service", "\x00\x1b[31m\n"): 1,
        ("service", "NOTES "): 1,
        ("service", "NOTES"): 1,
        ("service", "a\\nb"): 1,
        ("profile", " \t"): 1,
        ("uai", "é\u202e\xa0\x9b"): 1,
    }
    apply(live, None, 10, unseen)
    found = {(each.kind, each.value): each.events for each in live.reader.unseen.values()}
    assert found == {
        ("service", "x" * 64): 1,
        ("service", "x" * 64 + "..."): 1,
        ("service", "\\x00\\x1b[31m\\n"): 1,
        ("service", "NOTES "): 1,
        ("service", "NOTES"): 1,
        ("service", "a\\\\nb"): 1,
        ("profile", " \\t"): 1,
        ("uai", "é\\u202e\\xa0\\x9b"): 1,
    }


def test_a_full_list_forgets_what_was_seen_longest_ago(live: Live) -> None:
    at_ms = now_ms() - 1000
    apply(live, None, 10, {("service", "often"): 7}, at_ms)
    for n in range(10):
        values = {("service", f"S{n}-{i}"): 1 for i in range(100)} | {("service", "often"): 1}
        apply(live, 10 + n, 11 + n, values, at_ms + 1 + n)
    found = {each.value: each.events for each in live.reader.unseen.values()}
    assert len(found) == VALUES_MAX + 1
    assert found["often"] == 17, "what comes again and again stays"
    assert found[""] == 1001 - VALUES_MAX
    assert sum(found.values()) == 17 + 1000
    assert live.reader.unseen.sizes()["service"] == VALUES_MAX


def test_they_are_gone_after_a_day(live: Live) -> None:
    old_ms = now_ms() - KEPT_MS
    apply(live, None, 10, {("service", "OLD"): 1, ("profile", "OLD"): 1}, old_ms - 5000)
    apply(live, 10, 20, {("service", "YOUNG"): 1}, old_ms + 60_000)
    assert [each.value for each in live.reader.unseen.values()] == ["YOUNG"], "not shown, though nobody forgot them yet"
    assert live.reader.forget_unseen() == 2
    assert live.reader.forget_unseen() == 0
    assert live.raw.hgetall(live.key("unseen:service")) == {"YOUNG": "1"}
    assert not live.raw.exists(live.key("unseen:profile"))
    for kind in ("unseen", "unseen_at"):
        assert 0 < live.raw.pttl(live.key(f"{kind}:service")) <= KEPT_MS, "also where no observer runs"


def test_an_error_in_their_part_leaves_the_mark(live: Live) -> None:
    live.raw.set(live.key("unseen:service"), "not a hash")
    with pytest.raises(RedisUnavailable, match="WRONGTYPE"):
        apply(live, None, 10, {("service", "X"): 1})
    assert live.reader.snapshot().mark == "0  10"


def test_a_list_of_another_name_is_a_defect(live: Live) -> None:
    with pytest.raises(AssertionError, match="'colour' is no list"):
        apply(live, None, 10, {("colour", "red"): 1})


def test_the_command_prints_them(live: Live, redis_server: RedisServer) -> None:
    environment = {"VIGIE_REDIS_URL": redis_server.url, "VIGIE_REDIS_PREFIX": live.prefix}

    def unseen(*options: str) -> str:
        done = CliRunner().invoke(cli, ["unseen", *options], env=environment, catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    assert unseen() == "every value of the last 24 hours is known\n"
    assert unseen("--json") == ""
    apply(live, None, 10, {(kind, f"[bold]{kind}"): 1234 for kind in LISTS} | {("service", ""): 3})
    text = unseen()
    assert "[bold]service" in text
    assert "1,234" in text
    assert "(others)" in text
    for kind in LISTS:
        assert f"\n{kind}: " in text, "what to do about it"
    assert "differs" not in text
    assert "by now" not in text
    apply(
        live, 10, 20, {("service", "NOTES "): 1, ("project", "MBN"): 1, ("service", "NOTES"): 1, ("service", ':x:"'): 1}
    )
    text = unseen()
    assert '"NOTES " ' in text
    assert '":x:\\"" ' in text
    assert 'service: "NOTES " differs from NOTES by blanks or capitals: tell the ENT' in text
    assert 'project: "MBN" differs from mbn' in text
    assert 'service: "NOTES" is in config/ by now' in text
    live.raw.delete(live.key("unseen:service"), live.key("unseen_at:service"))
    assert "\nservice: " not in unseen().replace("service: add it", "")
    apply(live, 20, 30, {(kind, f"[bold]{kind}"): 1234 for kind in LISTS} | {("service", ""): 3})
    live.raw.zrem(live.key("unseen_at:project"), "MBN")
    rows = [json.loads(line) for line in unseen("--json").splitlines()]
    assert [row["list"] for row in rows] == ["service", "service", "profile", "project", "uai"]
    assert (rows[1]["value"], rows[1]["events"], rows[1]["last_seen"]) == (None, 3, None)


def test_heartbeats_tell_under_which_lists_a_worker_counts(live: Live) -> None:
    async def beat(writer: LiveWriter) -> None:
        await writer.prepare("c2", "visits", "id-1", 2)
        await writer.heartbeat("w", 1, 8001, [HeartbeatLine(0, 0, 0, 0.0)])

    live.write(beat)
    reader = LiveKeeper(RedisAddress(live.address.url), live.prefix)
    snapshot = reader.snapshot()
    reader.close()
    assert (snapshot.catalog, snapshot.heartbeats[0].catalog) == ("c1", "c2")


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_service_is_added_by_one_line_and_a_rolling_restart(
    installation: Installation, tmp_path: Path, number: int
) -> None:
    """What was counted under INCONNU stays there; from the restart on the code counts under its own name, and totals do not move."""
    settings = installation.settings
    lists = tmp_path / "config"
    shutil.copytree(default_config_dir(), lists)
    before, line = load_catalog(lists), '  - {code: DEVOIRS, label: "Devoirs", family: communication, weight: 0}\n'
    services = lists / "services.yaml"
    services.write_text(services.read_text().replace("services:\n", f"services:\n{line}", 1))
    after = load_catalog(lists)
    assert before.digest != after.digest
    with_line = {**installation.environment, "VIGIE_CONFIG_DIR": str(lists)}
    reader = reader_of(settings)

    def in_use() -> frozenset[str]:
        return catalogs_in_use(reader.snapshot())

    def counted() -> dict[str, int]:
        return {key[2]: n for key, n in reader.snapshot().totals.items() if key[0] == Cut.EVENTS}

    def status() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(CliRunner().invoke(cli, ["status", "--json"], env=with_line).output)
        return found

    with workers(installation.environment, tmp_path, number) as old:
        wait_for("all own partitions", lambda: len(owners(reader)) == number)
        send_devoirs(settings, 0)
        wait_drained(settings)
        assert counted() == {"INCONNU": 100}
        assert [(each.kind, each.value, each.events) for each in reader.unseen.values()] == [
            ("service", "DEVOIRS", 100)
        ]
        assert any("counted under other lists" in problem for problem in status()["problems"])
        fresh = []
        try:
            for slot, worker in enumerate(old):
                assert worker.stop() == 0
                fresh.append(WorkerProcess(with_line, tmp_path, slot))
                known = {after.digest} if slot == number - 1 else {before.digest, after.digest}
                wait_for("it counts under the new lists", lambda known=known: in_use() == known)  # type: ignore[misc]
            send_devoirs(settings, 100)
            wait_drained(settings)
            found = status()
        finally:
            assert [worker.stop() for worker in fresh] == [0] * number
    assert counted() == {"INCONNU": 100, "DEVOIRS": 100}
    assert [each.events for each in reader.unseen.values()] == [100], "known now: no more of them"
    assert found["catalog"] == {"ours": after.digest, "stored": before.digest, "counting": [after.digest]}
    assert not any("lists" in problem for problem in found["problems"])
    reader.close()


def owners(reader: LiveReader) -> set[str]:
    found = reader.snapshot()
    return {beat.worker for beat in found.heartbeats.values() if found.now_ms - beat.at_ms < 3000}


def send_devoirs(settings: Settings, first: int) -> None:
    with VisitPublisher(kafka_address(settings), {"mbn": "0123456789abcdef"}, topic=settings.topic) as publisher:
        for number in range(first, first + 100):
            publisher.publish(service="DEVOIRS", uai="0541234Y", user_id=str(number % 40), profile="ELEVE")
