"""A local stack for `make prove-alerts`: its own ports, configuration, archive and receivers."""

import datetime
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from streams.history.archive import Archive
from streams.local import free_ports
from streams.settings import default_config_dir
from tests.alerting.modes import Mode
from tests.alerting.sinks import Sinks


@dataclass(frozen=True, slots=True)
class Chain:
    """A running stack."""

    directory: Path
    observer: str
    alertmanager: str
    prometheus: str

    def stop(self, what: str) -> None:
        """Hold a process, so that the supervisor does not start it again; `detector`: the observer starts again without one."""
        role = "observer" if what == "detector" else what
        if what == "detector":
            self.settings_file.write_text("detector = false\n")
        for process in orjson.loads((self.directory / "stack.json").read_bytes())["processes"]:
            if process["role"] == role:
                os.kill(process["pid"], signal.SIGKILL if what == "detector" else signal.SIGSTOP)

    @property
    def settings_file(self) -> Path:
        """Settings that processes read when they start."""
        return self.directory / "vigie.toml"


def get(url: str) -> Any:
    """The JSON at a URL; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return orjson.loads(answer.read())
    except (urllib.error.URLError, OSError, ValueError):
        return None


def configured(directory: Path, mode: Mode) -> Path:
    """A copy of config/ with the mode's day and what it changes."""
    config = directory / "config"
    shutil.copytree(default_config_dir(), config)
    for name, section, changes in (
        (
            "scenarios.yaml",
            ("scenarios", mode.scenario),
            {"date": datetime.date.fromisoformat(mode.date), **mode.changed},
        ),
        ("load_shape.yaml", ("load_shape", "login_storm"), mode.storm),
    ):
        document = yaml.safe_load((config / name).read_text())
        document[section[0]][section[1]].update(changes)
        (config / name).write_text(yaml.safe_dump(document, allow_unicode=True))
    return config


def copy_past(past: Path, archive: Path, before: datetime.date) -> None:
    """The days of an archive before a date, and what a detector remembers of them."""
    source, target = Archive(past), Archive(archive)
    target.prepare(simulated=True)
    for day in source.dates():
        if day < before:
            target.path(day).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source.path(day), target.path(day))
    if (past / ".detector").exists():
        shutil.copytree(past / ".detector", archive / ".detector")


@contextmanager
def running(mode: Mode, past: Path, scale: str, directory: Path, log: Path, sinks: Sinks) -> Iterator[Chain]:
    """The stack with the mode's traffic; stopped at the end."""
    # Where `vigie up` keeps the archive of a scenario.
    archive = directory / "data" / f"archive-{mode.scenario}-{scale}"
    copy_past(past, archive, datetime.date.fromisoformat(mode.date))
    kafka, _controller, redis, prometheus, alertmanager, observer, worker, _other, collector = free_ports(9)
    chain = Chain(directory, *(f"http://127.0.0.1:{port}" for port in (observer, alertmanager, prometheus)))
    chain.settings_file.write_text("detector = true\n")
    environment = {
        **os.environ,
        "VIGIE_STACK_FILE": str(directory / "stack.json"),
        "VIGIE_CONFIG_DIR": str(configured(directory, mode)),
        "VIGIE_SETTINGS_FILE": str(chain.settings_file),
        "VIGIE_ALERT_SMTP": sinks.smtp,
        "VIGIE_ALERT_WEBHOOK_URL": sinks.webhook_url,
    }
    command = [sys.executable, "-m", "streams", "up", "--workers", "1", "--scenario", mode.scenario]
    command += ["--scale", scale, "--data-dir", str(directory / "data"), "--kafka-port", str(kafka)]
    command += ["--redis-port", str(redis), "--prometheus-port", str(prometheus), "--port", str(observer)]
    command += ["--alertmanager-port", str(alertmanager), "--worker-port", str(worker)]
    command += ["--collector-port", str(collector)]
    with log.open("w") as out:
        up = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            yield chain
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(90)
            remember(archive, past)


def remember(archive: Path, past: Path) -> None:
    """Keep what the detector remembered for the next run over the same past."""
    if (archive / ".detector" / "memory").exists():
        shutil.copytree(archive / ".detector", past / ".detector", dirs_exist_ok=True)
