"""`make bench-peers`: Vigie beside other ways to count events by minute, departement and service, on one broker, in one run.

All read the same events: valid ones, keyed by visitor, lz4, 8 partitions. Slow contenders read a tenth of them. Rounds are interleaved, so
that what else the machine does meets everybody. Every contender's counts are held against a plain recount; a wrong one ends the bench.
CPU is user + system of the contender's process, its start left out; Kafka's is in no figure, Redis's is shown beside ours.

Peers in Python live in `.venv-peers`, made here; Kafka Streams needs Java 17 and Maven, franz-go needs Go. What is missing is said in the
table. `--resume` goes on where an earlier call was stopped.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.__main__ import servers
from bench.load import fill
from bench.peers.contenders import BUILT, CONTENDERS, ROOT, Contender, NotHereError, build
from bench.peers.running import Figures, Job, recount, run
from bench.peers.table import goals, table
from streams import edges
from streams.catalog import load_catalog
from streams.load_test.load_meter import machine_seconds
from streams.settings import Settings, default_config_dir
from streams.topics import ensure_topics

RESULTS = BUILT / "results.jsonl"
SLOW_SHARE = 10
#: Cores that others may use while the machine counts as idle, and how long is looked.
OTHERS_CORES_MAX, LOOK_SECONDS = 0.15, 2.0


class Head(msgspec.Struct, frozen=True):
    """What results must have in common to stand in one table."""

    events: int
    commit: str
    machine: str


def parse() -> argparse.Namespace:
    """The command line."""
    names = ", ".join(one.name for one in CONTENDERS)
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument(
        "--events", type=int, default=1_000_000, help="read by each; slow ones read a tenth (default 1,000,000)"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="NAME,...", help=f"of {names}")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier call measured")
    asked = parser.parse_args()
    unknown = {name for name in asked.only.split(",") if name} - {one.name for one in CONTENDERS}
    if unknown:
        parser.error(f"--only: nobody is called {', '.join(sorted(unknown))}; there are {names}")
    if asked.events < 1000 or asked.rounds < 1:
        parser.error("--events from 1000, --rounds from 1")
    return asked


def head_of(events: int) -> Head:
    """This machine, this commit."""
    commit = subprocess.run(
        ("git", "describe", "--always", "--dirty"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "?",
    )
    machine = f"{platform.machine()}, {os.cpu_count()} cores ({model}), Python {platform.python_version()}"
    return Head(events, commit.stdout.strip() or "no git", machine)


def earlier(head: Head, *, resume: bool) -> list[Figures]:
    """What an earlier call measured, where it is to be kept; starts the file anew otherwise.

    Raises:
        SystemExit: it measured something else.
    """
    if resume and RESULTS.exists():
        first, *rest = RESULTS.read_bytes().splitlines()
        if msgspec.json.decode(first, type=Head) != head:
            raise SystemExit(f"{RESULTS} is of other events, another commit or machine: leave --resume out")
        return [msgspec.json.decode(line, type=Figures) for line in rest]
    BUILT.mkdir(parents=True, exist_ok=True)
    RESULTS.write_bytes(msgspec.json.encode(head) + b"\n")
    return []


def others_cores() -> float:
    """Cores that this machine uses while nothing of ours has work."""
    before, began = machine_seconds()[0], time.monotonic()
    time.sleep(LOOK_SECONDS)
    return (machine_seconds()[0] - before) / (time.monotonic() - began)


def fill_topics(base: Settings, events: int) -> tuple[Job, Job]:
    """All events, and a tenth of as many for the slow."""
    catalog, jobs = load_catalog(default_config_dir()), []
    for name, number in ((base.topic, events), (f"{base.topic}.tenth", max(100, events // SLOW_SHARE))):
        settings = base.model_copy(update={"topic": name, "rejected_topic": f"{name}.rejected"})
        ensure_topics(edges.kafka_address(settings), edges.topic_designs(settings))
        fill(settings.kafka_bootstrap_servers, name, number, int(time.time() * 1000), default_config_dir())
        jobs.append(recount(settings, number, catalog))
    return jobs[0], jobs[1]


def bytes_on_disk(directory: Path, topic: str) -> int:
    """What a topic's segments take."""
    return sum(path.stat().st_size for path in directory.glob(f"k/kafka/data/{topic}-[0-9]*/*.log"))


def rounds(
    asked: argparse.Namespace, found: list[Figures], chosen: Sequence[Contender], not_here: dict[str, str]
) -> None:
    """Measure what is not in `found` yet, and put it there and in the file."""
    done = {(each.contender, each.round) for each in found}
    with tempfile.TemporaryDirectory(prefix="vigie-peers-") as name, servers(Path(name)) as settings:
        print(f"sending {asked.events:,} events ...", flush=True)
        whole, tenth = fill_topics(settings, asked.events)
        print(f"Kafka holds {bytes_on_disk(Path(name), settings.topic) / asked.events:.0f} bytes an event", flush=True)
        for number in range(1, asked.rounds + 1):
            turn = number % len(chosen)
            for one in (*chosen[turn:], *chosen[:turn]):
                if (one.name, number) in done or one.name in not_here:
                    continue
                others = others_cores()
                try:
                    figures = run(one, tenth if one.slow else whole, number, Path(name))
                except NotHereError as error:
                    not_here[one.name] = str(error)
                    print(f"round {number}, {one.name}: not measured: {error}", flush=True)
                    continue
                figures = msgspec.structs.replace(figures, others_cores=round(others, 2))
                found.append(figures)
                with RESULTS.open("ab") as file:
                    file.write(msgspec.json.encode(figures) + b"\n")
                print(f"round {number}, {one.name}: {figures.per_cpu_second:,.0f} events a CPU-second", flush=True)


def main() -> int:
    """Build, measure, print; 1 when somebody could not be measured, 130 after Ctrl-C."""
    asked = parse()
    head = head_of(asked.events)
    only = {name for name in asked.only.split(",") if name}
    chosen = [one for one in CONTENDERS if not only or one.name in only]
    found, not_here = earlier(head, resume=asked.resume), dict[str, str]()
    stopped = False
    try:
        for need in sorted({one.needs for one in chosen if one.needs}):
            print(f"building the peers in {need} ...", flush=True)
            try:
                build(need)
            except NotHereError as error:
                not_here |= {one.name: str(error) for one in chosen if one.needs == need}
        rounds(asked, found, chosen, not_here)
    except KeyboardInterrupt:
        stopped = True
        print("\nstopped: this is what was measured; `--resume` goes on", flush=True)
    report(head, found, not_here)
    return 130 if stopped else 1 if not_here else 0


def report(head: Head, found: Sequence[Figures], not_here: dict[str, str]) -> None:
    """Print the table, versions and how busy the machine was."""
    if not found:
        print("nothing was measured" + "".join(f"; {name}: {why}" for name, why in not_here.items()))
        return
    print(f"\n{head.events:,} events, lz4, 8 partitions; commit {head.commit}; {head.machine}\n")
    print(table(found, not_here))
    versions = {name: text for each in found for name, text in each.versions.items()}
    print("\n" + ", ".join(f"{name} {text}" for name, text in sorted(versions.items())))
    for each in found:
        if each.passes:
            flat = "" if max(each.passes) not in each.passes[-2:] else " (**not flat yet**: read more events)"
            print(f"round {each.round}, passes of one JVM: " + ", ".join(f"{rate:,.0f}" for rate in each.passes) + flat)
    busy = [each for each in found if each.others_cores > OTHERS_CORES_MAX]
    if busy:
        most = max(each.others_cores for each in busy)
        print(
            f"**The machine was busy** before {len(busy)} of {len(found)} runs (others used up to {most:.1f} cores; load now "
            f"{os.getloadavg()[0]:.1f}): figures are too low, ratios are no result, goals are not told"
        )
    for line in goals(found) if not busy else ():
        print(line)


if __name__ == "__main__":
    sys.exit(main())
