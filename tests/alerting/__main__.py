"""`make prove-alerts`: a local stack, a simulated past, a morning, and who is called for it.

    python -m tests.alerting --past DIRECTORY --mode ordinary|return|storm|lockdown|project|detector|redis|kafka|traffic

Prints one line a change: alerts that Alertmanager holds active or suppressed, mails, webhook posts; then whether the mode showed what it
must (exit code 0) or not (1). The mails stay in --out, as pages.
"""

import argparse
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from tests.alerting.chain import Chain, get, running
from tests.alerting.modes import MODES, Mode
from tests.alerting.sinks import Sinks, html_of

PARIS = ZoneInfo("Europe/Paris")
#: Minutes that must be judged before something is stopped, and before a mode that calls nobody has shown anything.
JUDGED_MINUTES = 3
#: Start, run-up, and the past that is read: on a machine that does much else.
START_SECONDS_MAX = 600


def name_of(alert: dict[str, Any]) -> str:
    """`EntSilence project mbn`."""
    labels = alert["labels"]
    where = [labels[key] for key in ("scope", "region", "service", "project") if labels.get(key, "-") != "-"]
    return " ".join([labels["alertname"], *where])


class Proof:
    """Watches one run. Times are monotonic seconds."""

    def __init__(self, mode: Mode, chain: Chain, sinks: Sinks, out: Path) -> None:
        self._mode, self._chain, self._sinks, self._out = mode, chain, sinks, out
        self._began = time.monotonic()
        self._known: set[str] = set()
        self._mails = self._posts = 0
        self._judged: set[str] = set()
        self._judging_since: float | None = None
        self._stopped_at: float | None = None
        self._called: dict[str, float] = {}
        self._resolved: dict[str, float] = {}
        self._active: dict[str, float] = {}

    def watch(self) -> None:
        """Until the mode has shown what it must, or its time is up."""
        while time.monotonic() < (self._judging_since or self._began + START_SECONDS_MAX) + self._mode.seconds:
            time.sleep(1)
            self._look()
            if self._is_done():
                return

    def verdict(self) -> list[str]:
        """What is not as it must be; empty where all is."""
        mode, wrong = self._mode, []
        called = set(self._called)
        if not mode.calls <= called <= mode.calls | mode.may:
            wrong.append(f"called for {sorted(called) or 'nothing'}, must be {sorted(mode.calls) or 'nothing'}")
        if len(self._judged) < JUDGED_MINUTES:
            wrong.append(f"only {len(self._judged)} looks found a minute judged: nothing was shown")
        since = self._since()
        for name in mode.calls & called:
            if since is not None:
                active = self._active.get(name, self._called[name]) - since
                self.say(
                    f"{name}: in Alertmanager {active:.0f} s after it began, called {self._called[name] - since:.0f} s after"
                )
                if active > mode.fired_within:
                    wrong.append(f"{name} took more than {mode.fired_within:.0f} s")
        if mode.resolved and not mode.calls <= set(self._resolved) <= mode.calls | mode.may:
            wrong.append(f"told as over: {sorted(self._resolved)}, must be {sorted(mode.calls)}")
        return wrong

    def say(self, text: str) -> None:
        """One line with the time since the start."""
        print(f"{time.monotonic() - self._began:6.0f} s  {text}", flush=True)

    def _is_done(self) -> bool:
        mode = self._mode
        if not mode.calls:
            return False
        enough = set(self._resolved) if mode.resolved else set(self._called)
        # What calls too much comes soon after: it is waited for.
        return mode.calls <= enough and time.monotonic() > max(self._called.values()) + 90

    def _since(self) -> float | None:
        """When that began which must be told: at a clock of the scenario, or when something was stopped."""
        if self._mode.clock is None:
            return self._stopped_at
        begun = datetime.fromisoformat(f"{self._mode.date}T{self._mode.clock}").replace(tzinfo=PARIS).timestamp()
        answer = get(f"{self._chain.observer}/api/v1/status")
        shift = answer["calendar_shift_seconds"] if answer else 0
        return time.monotonic() - (time.time() - (begun - shift))

    def _look(self) -> None:
        self._alerts()
        judged = (get(f"{self._chain.observer}/api/v1/alerts?state=running") or {}).get("judged_to")
        if judged:
            self._judged.add(judged)
            self._judging_since = self._judging_since or time.monotonic()
        for mail in self._sinks.mails[self._mails :]:
            (self._out / f"mail-{self._mails}.html").write_text(html_of(mail))
            self.say(f"mail: {mail['Subject']}")
            self._mails += 1
        for post in self._sinks.posts[self._posts :]:
            names = sorted({name_of(one) for one in post["alerts"]})
            self.say(f"webhook: {post['status']} {names[:4]}")
            for one in post["alerts"]:
                told = self._called if one["status"] == "firing" else self._resolved
                told.setdefault(name_of(one), time.monotonic())
            self._posts += 1
        live = len(self._judged) >= JUDGED_MINUTES
        if self._mode.stop and live and self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self._chain.stop(self._mode.stop)
            self.say(f"{self._mode.stop} is stopped")

    def _alerts(self) -> None:
        found = get(f"{self._chain.alertmanager}/api/v2/alerts")
        if found is None:
            return
        now = {
            f"{name_of(one)} [{one['status']['state']}]" for one in found if one["labels"]["alertname"] != "Watchdog"
        }
        for one in found:
            if one["status"]["state"] == "active":
                self._active.setdefault(name_of(one), time.monotonic())
        new, gone = sorted(now - self._known), sorted(self._known - now)
        for sign, names in (("+", new), ("-", gone)):
            for text in names[:6]:
                self.say(f"{sign} {text}")
            if len(names) > 6:
                self.say(f"{sign} and {len(names) - 6} more")
        self._known = now


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--past", type=Path, required=True)
    parser.add_argument("--mode", choices=MODES, default="lockdown")
    parser.add_argument("--scale", default="0.02")
    parser.add_argument("--out", type=Path, default=Path("proof-alerts"))
    arguments = parser.parse_args()
    mode, out = MODES[arguments.mode], arguments.out / arguments.mode
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    print(f"{arguments.mode}: {mode.says}; {mode.date}, scale {arguments.scale}", flush=True)
    with tempfile.TemporaryDirectory() as temporary, Sinks() as sinks:
        directory = Path(temporary)
        with running(mode, arguments.past, arguments.scale, directory, out / "up.log", sinks) as chain:
            proof = Proof(mode, chain, sinks, out)
            proof.watch()
            answer = get(f"{chain.observer}/api/v1/alerts")
            (out / "alerts.json").write_bytes(orjson.dumps(answer, option=orjson.OPT_INDENT_2))
            wrong = proof.verdict()
        shutil.copytree(directory / "data" / "log", out / "log", dirs_exist_ok=True)
    for text in wrong:
        print(f"NOT SHOWN: {text}")
    print(f"{arguments.mode}: {'as it must be' if not wrong else 'not as it must be'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
