"""The jars of Apache Kafka: copied once by Maven, as `deploy/kafka/pom.xml` lists them, into a cache."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from streams.errors import InputError, ServerError
from streams.local.process import find_program
from streams.lock_file import locked
from streams.settings import deploy_dir
from streams.stack_record import user_dir

KAFKA_VERSION = "4.3.1"
_MAVEN_SECONDS_MAX = 900


def cache_dir() -> Path:
    """Where the jars are kept."""
    return user_dir("XDG_CACHE_HOME", ".cache") / f"kafka-{KAFKA_VERSION}"


def jars_are_there() -> bool:
    """Whether the jars are in the cache already."""
    return _current(cache_dir(), _pom())


def kafka_jars(say: Callable[[str], None] = lambda _text: None) -> Path:
    """Return the directory of the jars, after having them copied at the first call on this machine; `say` is told of it.

    Complete once it exists: Maven writes into a directory beside it, which is then renamed. The pom is kept with the jars; another one
    in the checkout copies anew.

    Raises:
        ServerError: Maven is missing or fails; the message holds what it printed.
        InputError: the directory cannot be written.
    """
    pom = _pom()
    target = cache_dir()
    if _current(target, pom):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.parent / "kafka.lock"):
            if not _current(target, pom):  # another process may have done it while we waited
                say(f"copying the jars of Kafka {KAFKA_VERSION} with Maven into {target}, once ...")
                _copy(target, pom)
    except OSError as error:
        raise InputError(
            f"{target.parent} cannot be written ({error.strerror}): set XDG_CACHE_HOME to a directory that this user may write to"
        ) from None
    return target


def _pom() -> Path:
    return deploy_dir() / "kafka" / "pom.xml"


def _current(target: Path, pom: Path) -> bool:
    kept = target / "pom.xml"
    return kept.is_file() and kept.read_bytes() == pom.read_bytes()


def _copy(target: Path, pom: Path) -> None:
    maven = find_program("mvn")
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    command = [
        maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies",
        f"-DoutputDirectory={fresh}", "-DincludeScope=runtime",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired:
        raise ServerError(
            f"Maven did not copy Kafka's jars within {_MAVEN_SECONDS_MAX} s: check the network, try again"
        ) from None
    if done.returncode != 0 or not list(fresh.glob("kafka_2.13-*.jar")):
        printed = "\n".join(f"  | {line[:300]}" for line in (done.stdout + done.stderr).splitlines()[-15:])
        raise ServerError(
            f"Maven could not copy Kafka's jars (exit code {done.returncode}); mend this and try again:\n{printed}"
        )
    (fresh / "pom.xml").write_bytes(pom.read_bytes())
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
