"""The pods of deploy/kubernetes as processes: their command, environment, files, user and read-only root, their probes, SIGTERM and grace.

Needs root, as Kubernetes' own agent does: a namespace of mounts, one of host names.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from streams.catalog import Catalog
from tests.servers.conftest import Installation
from tests.servers.test_outages import counting, traffic_to
from tests.servers.truth import differences, wait_drained
from tests.test_kubernetes import KUBERNETES, POD_ADDRESS, environment_of, of_kind, pods
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.long]
ROOT = Path(__file__).resolve().parents[2]
#: Where this machine has room for what a pod mounts: its own root stays as it is.
PLACES = {"/config": "/mnt", "/archive": "/media", "/tokens": "/srv", "/tmp": "/tmp"}
#: Nothing but to read what is root's: Python and the code are in root's home where tests run.
RIGHTS = "-all,+dac_read_search"
RUN = """
set -e
if [ -n "$POD_GROUP" ]; then
  mkdir "$POD_GROUP"
  echo "$POD_MEMORY" > "$POD_GROUP/$POD_LIMIT"
  echo $$ > "$POD_GROUP/cgroup.procs"
fi
hostname "$POD_NAME"
mount --bind "$POD_LISTS" /mnt
[ -z "$POD_ARCHIVE" ] || mount --bind "$POD_ARCHIVE" /media
[ -z "$POD_TOKENS" ] || mount --bind "$POD_TOKENS" /srv
exec 3< "$POD_CODE"
mount -t tmpfs -o size=64m,mode=1777 tmpfs /tmp
if [ ! -d "$POD_CODE" ]; then  # a checkout below /tmp: what was mounted there now hides it
  mkdir -p "$POD_CODE"
  mount --no-canonicalize --bind /proc/self/fd/3 "$POD_CODE"
fi
exec 3<&-
mount -o remount,bind,ro /
exec setpriv --reuid "$POD_UID" --regid "$POD_UID" --clear-groups --no-new-privs \
  --inh-caps "$POD_RIGHTS" --ambient-caps "$POD_RIGHTS" --bounding-set "$POD_RIGHTS" -- "$@"
"""


#: Where a machine keeps the memory of groups of processes: folder, file of the limit, file of the most that was used.
GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.peak"),
)
UNITS = {"Mi": 1 << 20, "Gi": 1 << 30}
COLLECTOR = KUBERNETES / "components" / "collector" / "collector.yaml"


def template_of(owner: str) -> dict[str, Any]:
    """The pod of an owner in the overlay `small`, or of the component that it may add."""
    if owner != "vigie-collector":
        return pods("small")[owner]
    (found,) = [one for one in yaml.safe_load_all(COLLECTOR.read_text()) if one["kind"] == "Deployment"]
    return dict(found["spec"]["template"])


class Pod:
    """One pod, at an address of its own; `changed` are settings of the test's servers."""

    #: Who may look at everything, and who may send.
    token = ""
    sender = ""

    def __init__(self, name: str, owner: str, address: str, directory: Path, changed: dict[str, str]) -> None:
        self.spec: dict[str, Any] = template_of(owner)["spec"]
        (self.container,) = self.spec["containers"]
        self.name, self.address = name, address
        self.port: int = self.container["ports"][0]["containerPort"]
        self._directory = directory
        self._environment = {
            name: address if value == POD_ADDRESS else value
            for name, value in environment_of("small", self.container).items()
        }
        for key, value in self._environment.items():
            (place,) = [path for path in (*PLACES, "") if value == path or value.startswith(f"{path}/")][:1] or [""]
            self._environment[key] = PLACES.get(place, place) + value.removeprefix(place)
        self._environment |= changed
        self.started = 0
        self.start()

    def start(self) -> None:
        """As its node's agent does."""
        lists = self._directory / "lists"
        if not lists.exists():
            lists.mkdir()
            for name, one in of_kind("small", "ConfigMap").items():
                if name.startswith("vigie-lists"):
                    for file, text in one["data"].items():
                        (lists / file).write_text(text)
        uid = self.spec["securityContext"]["runAsUser"]
        archive = self._directory / "archive"
        archive.mkdir(exist_ok=True)
        os.chown(archive, uid, self.spec["securityContext"]["fsGroup"])
        tokens = self._directory / "tokens"
        if not tokens.exists():
            tokens.mkdir()
            Pod.token, Pod.sender = (_token(tokens, *words) for words in (("--scope", "admin"), ("--project", "mbn")))
            for path in (tokens, tokens / "tokens.json"):
                os.chown(path, uid, uid)
        mounts = {one["mountPath"] for one in self.container["volumeMounts"]}
        assert mounts <= PLACES.keys()
        assert self.container["securityContext"]["readOnlyRootFilesystem"]
        self.started += 1
        self.group, limit, self._peak = _group(f"vigie-{self.name}-{os.getpid()}-{self.started}")
        self.log = self._directory / f"{self.name}-{self.started}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--uts", "--propagation", "private", "sh", "-c", RUN, "sh"),
                    *(sys.executable, "-m", "streams", *self.container["args"]),
                ],
                env={
                    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                    "XDG_STATE_HOME": "/tmp",  # as the image has it
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "POD_NAME": self.name,
                    "POD_CODE": str(ROOT),
                    "POD_LISTS": str(lists),
                    "POD_ARCHIVE": str(archive) if "/archive" in mounts else "",
                    "POD_TOKENS": str(tokens) if "/tokens" in mounts else "",
                    "POD_UID": str(uid),
                    "POD_RIGHTS": RIGHTS,
                    "POD_GROUP": str(self.group or ""),
                    "POD_LIMIT": limit,
                    "POD_MEMORY": str(self.memory),
                    **self._environment,
                },
                cwd="/",
                stdout=log,
                stderr=log,
            )

    @property
    def memory(self) -> int:
        """The bytes that it may take; more, and the kernel kills it."""
        text = self.container["resources"]["limits"]["memory"]
        return int(text[:-2]) * UNITS[text[-2:]]

    def probe(self, kind: str) -> bool:
        """One look of a probe, within its own time."""
        probe = self.container[kind]
        host = f"[{self.address}]" if ":" in self.address else self.address
        url = f"http://{host}:{self.port}{probe['httpGet']['path']}"
        try:
            with urllib.request.urlopen(url, timeout=probe["timeoutSeconds"]) as answer:
                return answer.status == 200
        except OSError:
            return False

    def wait_ready(self) -> None:
        """Wait until it is; it must be alive long before its liveness probe would give it up."""
        live = self.container["livenessProbe"]
        wait_for(
            f"{self.name} is alive",
            self._is_alive,
            live["periodSeconds"] * live["failureThreshold"],
        )
        wait_for(f"{self.name} is ready", lambda: self.probe("readinessProbe"), 90)

    def _is_alive(self) -> bool:
        assert self.process.poll() is None, f"{self.name} ended:\n{self.log.read_text()[-3000:]}"
        return self.probe("livenessProbe")

    def stop(self) -> float:
        """SIGTERM; the seconds that it took. SIGKILL would come after its grace."""
        began = time.monotonic()
        self.process.terminate()
        try:
            code = self.process.wait(self.spec["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(f"{self.name} was killed after its grace:\n{self.log.read_text()[-3000:]}") from None
        assert code == 0, self.log.read_text()[-3000:]
        took = time.monotonic() - began
        if self.group is not None:
            used = int((self.group / self._peak).read_text())
            self.group.rmdir()
            print(f"\n{self.name}: {used >> 20} of {self.memory >> 20} MiB")
            assert used < self.memory
        return took


def _token(tokens: Path, *words: str) -> str:
    made = [sys.executable, "-m", "streams", "token", "new", *words, "--name", "test"]
    environment = {**os.environ, "VIGIE_TOKENS_FILE": str(tokens / "tokens.json")}
    return subprocess.run(made, env=environment, capture_output=True, text=True, check=True).stdout.split()[0]


def _group(name: str) -> tuple[Path | None, str, str]:
    """The group of processes in which a pod's memory is bounded; None where this machine bounds none, which is said."""
    for folder, limit, peak in GROUPS:
        with suppress(OSError):
            (folder / name).mkdir()
            bounds = (folder / name / limit).exists()
            (folder / name).rmdir()
            if bounds:
                return folder / name, limit, peak
    print("\nthis machine bounds no memory of a group of processes: limits of pods are not tried")
    return None, "", ""


def test_a_rolling_update_under_load(installation: Installation, catalog: Catalog) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a pod's namespaces need root")
    settings = installation.settings
    names = ("kafka_bootstrap_servers", "redis_url", "topic", "rejected_topic", "consumer_group", "redis_prefix")
    changed = {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in names}
    network = f"127.{os.getpid() % 200 + 20}.0"
    running: list[Pod] = []
    try:
        for number in range(of_kind("small", "StatefulSet")["vigie-worker"]["spec"]["replicas"]):
            address = "::1" if number == 0 else f"{network}.{number + 1}"  # a cluster of IPv6 alone has no other
            running.append(Pod(f"vigie-worker-{number}", "vigie-worker", address, installation.directory, changed))
        workers = list(running)
        running.append(Pod("vigie-observer-x", "vigie-observer", f"{network}.9", installation.directory, changed))
        running.append(Pod("vigie-collector-x", "vigie-collector", f"{network}.10", installation.directory, changed))
        for pod in running:
            pod.wait_ready()
        observer = running[-2]
        traffic = traffic_to(installation, catalog)
        traffic.sent.events[_collected(running[-1]), "44", "NOTES"] += 1
        traffic.begin(300)
        wait_for("counting", counting(installation))
        took = []
        for pod in reversed(workers):  # as a StatefulSet does: the last first, the next when it is ready again
            took.append(pod.stop())
            pod.start()
            pod.wait_ready()
        sent = traffic.end()
        wait_drained(settings, 120)
        assert not (rows := differences(settings, catalog, sent)), "\n".join(rows)
        print(f"\nworkers stopped in {', '.join(f'{seconds:.1f} s' for seconds in took)}")
        for pod in workers:
            assert pod.name in _owners(observer)
        for pod in running:
            print(f"{pod.name} stopped in {pod.stop():.1f} s")
    finally:
        for pod in running:
            if pod.process.poll() is None:
                pod.process.kill()


def _owners(observer: Pod) -> str:
    asked = urllib.request.Request(
        f"http://{observer.address}:{observer.port}/api/v1/status", headers={"Authorization": f"Bearer {Pod.token}"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return str(answer.read())


def _collected(collector: Pod) -> int:
    """Send an event of Grand Est through the collector, which takes it; return its epoch minute."""
    ts = time.time_ns() // 1_000_000
    event = {"v": 1, "id": "collected", "ts": ts, "visitor": "9f2c" * 8, "project": "mbn", "uai": "0541234Y"}
    asked = urllib.request.Request(
        f"http://{collector.address}:{collector.port}/v1/events",
        data=orjson.dumps({**event, "service": "NOTES", "profile": "ELEVE"}) + b"\n",
        headers={"Authorization": f"Bearer {Pod.sender}", "Content-Type": "application/x-ndjson"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        assert orjson.loads(answer.read())["accepted"] == 1
    return ts // 60_000
