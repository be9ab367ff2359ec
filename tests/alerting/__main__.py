"""`make prove-alerts`: a local stack, a simulated past, a scenario, and what Alertmanager sent.

    python -m tests.alerting --past DIRECTORY --scenario ordinary|storm [--date 2026-02-03] [--seconds 420] [--stop kafka|redis|simulator]

Prints one line a change: alerts that Alertmanager holds active, mails, webhook posts. The mails stay in --out, as pages.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import orjson

from streams.local import free_ports
from streams.settings import default_config_dir
from tests.alerting.sinks import Sinks, html_of


def say(began: float, text: str) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)


def configured(directory: Path, scenario: str, date: str) -> Path:
    """A copy of config/ whose scenario is on another day."""
    config = directory / "config"
    shutil.copytree(default_config_dir(), config)
    lines, inside = [], False
    for line in (config / "scenarios.yaml").read_text().splitlines():
        if line.startswith("  ") and not line.startswith("   "):
            inside = line.strip() == f"{scenario}:"
        lines.append(f"    date: {date}" if inside and line.strip().startswith("date:") else line)
    (config / "scenarios.yaml").write_text("\n".join(lines) + "\n")
    return config


def get(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return orjson.loads(answer.read())
    except (urllib.error.URLError, OSError, ValueError):
        return None


def name_of(alert: dict[str, Any]) -> str:
    labels = alert["labels"]
    where = [labels[key] for key in ("scope", "region", "service", "project") if labels.get(key, "-") != "-"]
    return " ".join([labels["alertname"], *where])


def stop(role: str, stack_file: Path) -> None:
    """Hold one process of the stack, so that the supervisor does not start it again."""
    record = orjson.loads(stack_file.read_bytes())
    for process in record["processes"]:
        if process["role"] == role:
            os.kill(process["pid"], signal.SIGSTOP)


def watch(arguments: argparse.Namespace, sinks: Sinks, alertmanager: int, out: Path, stack_file: Path) -> None:
    began, known, mails, posts, stopped = time.monotonic(), set[str](), 0, 0, False
    while time.monotonic() < began + arguments.seconds:
        time.sleep(2)
        found = get(f"http://127.0.0.1:{alertmanager}/api/v2/alerts")
        if found is not None:
            now = {
                f"{name_of(one)} [{one['status']['state']}]"
                for one in found
                if one["labels"]["alertname"] != "Watchdog"
            }
            for text in sorted(now - known):
                say(began, f"+ {text}")
            for text in sorted(known - now):
                say(began, f"- {text}")
            known = now
        for mail in sinks.mails[mails:]:
            (out / f"mail-{mails}.html").write_text(html_of(mail))
            say(began, f"mail: {mail['Subject']}")
            mails += 1
        for post in sinks.posts[posts:]:
            say(began, f"webhook: {post['status']} {sorted(name_of(one) for one in post['alerts'])[:4]}")
            posts += 1
        if arguments.stop and not stopped and time.monotonic() > began + arguments.stop_after:
            stopped = True
            stop(arguments.stop, stack_file)
            say(began, f"{arguments.stop} is held")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--past", type=Path, required=True)
    parser.add_argument("--scenario", default="storm")
    parser.add_argument("--date", default="2026-02-03")
    parser.add_argument("--scale", default="0.02")
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument("--stop", choices=("kafka", "redis", "simulator", "observer"))
    parser.add_argument("--stop-after", type=float, default=240)
    parser.add_argument("--out", type=Path, default=Path("proof-alerts"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, Sinks() as sinks:
        directory = Path(temporary)
        # Where `vigie up` keeps the archive of a scenario.
        archive = directory / "data" / f"archive-{arguments.scenario}-{arguments.scale}"
        shutil.copytree(arguments.past, archive)
        kafka, _controller, redis, prometheus, alertmanager, observer, worker, _other = free_ports(8)
        stack_file = directory / "stack.json"
        environment = {
            **os.environ,
            "VIGIE_STACK_FILE": str(stack_file),
            "VIGIE_CONFIG_DIR": str(configured(directory, arguments.scenario, arguments.date)),
            "VIGIE_ALERT_SMTP": sinks.smtp,
            "VIGIE_ALERT_WEBHOOK_URL": sinks.webhook_url,
        }
        command = [sys.executable, "-m", "streams", "up", "--workers", "1", "--scenario", arguments.scenario]
        command += ["--scale", arguments.scale, "--data-dir", str(directory / "data"), "--kafka-port", str(kafka)]
        command += ["--redis-port", str(redis), "--prometheus-port", str(prometheus), "--port", str(observer)]
        command += ["--alertmanager-port", str(alertmanager), "--worker-port", str(worker)]
        with (arguments.out / "up.log").open("w") as log:
            up = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                watch(arguments, sinks, alertmanager, arguments.out, stack_file)
            finally:
                answer = get(f"http://127.0.0.1:{observer}/api/v1/alerts")
                (arguments.out / "alerts.json").write_bytes(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
                up.send_signal(signal.SIGTERM)
                up.wait(90)
                shutil.copytree(directory / "data" / "log", arguments.out / "log", dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
