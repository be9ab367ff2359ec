"""A whole local stack with its receivers: every command of every runbook works, and a dead Redis and Kafka call for themselves alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from streams.local.process import find_program
from streams.settings import deploy_dir
from tests.alerting.sinks import Sinks
from tests.servers.commands import run
from tests.servers.test_stack import START_SECONDS_MAX, Up, until

pytestmark = pytest.mark.servers

#: `for: 20s` of the rules, scrapes and evaluations every 5 s, and the group's wait.
CALL_SECONDS_MAX = 100
GROUP_WAIT_SECONDS = 10


class Watched(Up):
    """One that calls somebody."""

    def __init__(self, directory: Path, sinks: Sinks) -> None:
        self.sinks = sinks
        super().__init__(directory)

    def _start(self, *more: str) -> subprocess.Popen[bytes]:
        self.environment |= {"VIGIE_ALERT_SMTP": self.sinks.smtp, "VIGIE_ALERT_WEBHOOK_URL": self.sinks.webhook_url}
        return super()._start("--workers", "1", *more)

    def ready(self) -> bool:
        return self.runs("worker") and self.runs("observer") and run(self.environment, "status").code == 0

    def hold(self, role: str) -> None:
        (process,) = [each for each in self.processes() if each["role"] == role]
        os.kill(process["pid"], signal.SIGSTOP)

    def call_sooner(self) -> None:
        """Let Alertmanager wait for less than half a minute before it calls."""
        config = self.directory / "data" / "alertmanager" / "alertmanager.yml"
        assert config.read_text().count("group_wait: 30s") == 1
        config.write_text(config.read_text().replace("group_wait: 30s", f"group_wait: {GROUP_WAIT_SECONDS}s"))
        (process,) = [each for each in self.processes() if each["role"] == "alertmanager"]
        os.kill(process["pid"], signal.SIGHUP)

    def local(self, command: str) -> str:
        """A runbook's command with this stack's ports and programs."""
        _controller, _kafka, redis, prometheus, alertmanager, observer, worker, *_others = map(str, self.ports)
        for shown, own in (
            ("19090", prometheus),
            ("19093", alertmanager),
            ("16379", redis),
            (":8000", f":{observer}"),
            (":8001", f":{worker}"),
            (".venv/bin/vigie", f"{sys.executable} -m streams"),
            ("redis-cli", shutil.which("redis-cli") or "redis-cli"),
            ("amtool ", find_program("amtool") + " "),
        ):
            command = command.replace(shown, own)
        return command


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Watched]:
    with Sinks() as sinks:
        made = Watched(tmp_path, sinks)
        try:
            yield made
        finally:
            if made.process.poll() is None:
                made.process.kill()
            made.process.wait(timeout=10)


def commands() -> set[str]:
    """The numbered steps of all runbooks; those that silence are in test_alertmanager."""
    texts = [path.read_text() for path in (deploy_dir() / "runbooks").glob("*.md")]
    found = {command for text in texts for command in re.findall(r"^\d+\. `([^`]+)`$", text, re.MULTILINE)}
    return {command for command in found if "amtool" not in command or "alert query" in command}


def problem_of(stack: Watched, command: str) -> str | None:
    done = subprocess.run(
        ["sh", "-c", stack.local(command)],
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        return f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    if "/api/v1/query" in command and orjson.loads(done.stdout)["status"] != "success":
        return f"{command}: {done.stdout}"
    return None


def active(stack: Watched) -> set[str]:
    """Alerts that somebody is called for, now or within the group's wait."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.ports[4]}/api/v2/alerts", timeout=60) as answer:
        found = orjson.loads(answer.read())
    return {one["labels"]["alertname"] for one in found if one["status"]["state"] == "active"} - {"Watchdog"}


def called(stack: Watched) -> set[str]:
    return {alert["labels"]["alertname"] for post in stack.sinks.posts for alert in post["alerts"]}


def test_runbooks_work_and_what_is_down_calls_for_itself_alone(stack):
    until(stack.ready, START_SECONDS_MAX, f"not ready:\n{stack.log()}")
    assert len(commands()) > 40
    with ThreadPoolExecutor(3) as pool:
        problems = [
            found for found in pool.map(lambda command: problem_of(stack, command), sorted(commands())) if found
        ]
    assert not problems, "\n".join(problems)
    assert called(stack) == set(), "a sound chain calls nobody"
    stack.call_sooner()
    stack.hold("redis")
    stack.hold("kafka")
    down = {"EntRedisDown", "EntKafkaDown"}
    until(lambda: called(stack) >= down, CALL_SECONDS_MAX, "Redis and Kafka hang, and nobody is called")
    # What else fires is inhibited, so nobody will be called for it.
    assert active(stack) == called(stack) == down
    # A mail takes longer than a post: the last one may still be on its way.
    until(lambda: len(stack.sinks.mails) >= len(down), 20, "posted, and no mail for each")
    assert {mail["Subject"] for mail in stack.sinks.mails} == {
        "[Vigie] Redis ne répond plus",
        "[Vigie] Kafka ne répond plus",
    }
