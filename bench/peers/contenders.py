"""Who takes part, how each is built and started. A contender that cannot be built here is said so, never left out in silence."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = ROOT / ".cache" / "peers"
VENV = ROOT / ".venv-peers"
BUILD_SECONDS_MAX = 600

OURS, OURS_COUNT, STREAMS, FAUST, LIMIT = "vigie", "vigie-count", "kafka-streams", "faust", "franz-go-limit"


class NotHereError(Exception):
    """A contender cannot be built or run on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Contender:
    """`keeps` says what is left of its counts when it is killed. `slow` ones read a tenth of the events. The empty command is Vigie's
    own worker. `decodes` is False for the limit, which only reads.
    """

    name: str
    title: str
    keeps: str
    command: tuple[str, ...] = ()
    needs: str = ""
    slow: bool = False
    decodes: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


def _python(name: str, title: str, file: str, *, slow: bool = False) -> Contender:
    command = (str(VENV / "bin" / "python"), str(HERE / "python" / file))
    return Contender(name, title, "nothing", command, "python", slow)


_JAVA = (
    "java",
    "-Xmx1g",
    "-cp",
    f"{BUILT / 'java' / 'bench-peers-1.jar'}:{BUILT / 'java' / 'dependency'}/*",
    "CountVisits",
)
CONTENDERS = (
    Contender(
        OURS, "**Vigie, whole path**: decode, check, duplicates, visits, users, Redis", "all, exactly once, in Redis"
    ),
    Contender(
        OURS_COUNT,
        "**Vigie, decode + count**: the same without Redis",
        "nothing",
        (sys.executable, "-m", "bench.peers.ours_count"),
    ),
    Contender(STREAMS, "Kafka Streams, exactly_once_v2", "all, exactly once, in Kafka", _JAVA, "java"),
    Contender("franz-go", "franz-go + encoding/json", "nothing", (str(BUILT / "franz-go"),), "go"),
    _python("confluent", "confluent-kafka + msgspec", "confluent_msgspec.py"),
    _python("aiokafka", "aiokafka + msgspec", "aiokafka_msgspec.py"),
    _python("bytewax", "Bytewax, windows of a minute", "bytewax_windows.py", slow=True),
    _python("kafka-python", "kafka-python + json", "kafka_python.py", slow=True),
    _python("quix", "Quix Streams", "quix.py", slow=True),
    _python(FAUST, "Faust, as it comes", "stock_faust.py", slow=True),
    Contender(
        LIMIT,
        "the limit: franz-go that reads and does not decode",
        "nothing",
        (str(BUILT / "franz-go"),),
        "go",
        decodes=False,
        environment={"PEER_RAW": "1"},
    ),
)


def build(need: str) -> None:
    """Build what contenders of one language need; again only where its sources are others than those it was built from.

    Raises:
        NotHereError: a tool is missing, or the build failed.
    """
    sources = sorted(path for path in (HERE / need).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = BUILT / f"{need}.built"
    if need == "python":
        requirements = HERE / need / "requirements.txt"
        digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
        if not (VENV / "bin" / "python").exists():
            stamp.unlink(missing_ok=True)
    if stamp.exists() and stamp.read_text() == digest:
        return
    stamp.unlink(missing_ok=True)
    if need == "python":
        _make_venv(requirements)
    elif need == "go":
        _run((_tool("go"), "build", "-o", str(BUILT / "franz-go"), "."), HERE / need)
    elif need == "java":
        _tool("java")
        goals = ("package", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-Dpeers.target={BUILT / need}")
        _run((_tool("mvn"), "-q", "-B", "-f", str(HERE / need / "pom.xml"), *goals))
    stamp.write_text(digest)


def _make_venv(requirements: Path) -> None:
    python = str(VENV / "bin" / "python")
    uv = shutil.which("uv")
    if uv:
        _run((uv, "venv", "-q", "--clear", "--python", sys.executable, str(VENV)))
        _run((uv, "pip", "install", "-q", "--python", python, "-r", str(requirements)))
    else:
        _run((sys.executable, "-m", "venv", "--clear", str(VENV)))
        _run((python, "-m", "pip", "install", "-q", "-r", str(requirements)))


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotHereError(f"{name} is not installed")
    return found


def _run(command: tuple[str, ...], directory: Path = ROOT) -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotHereError(f"{command[0]} did not end within {BUILD_SECONDS_MAX} s") from None
    if done.returncode != 0:
        raise NotHereError(f"{' '.join(command[:4])} failed: {' '.join((done.stdout + done.stderr).split())[-300:]}")
