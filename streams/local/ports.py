"""TCP ports and lock files: who holds one, which ports are free, and whether the server on one is ready. A look never raises."""

import os
import random
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from streams.addresses import host_port
from streams.errors import InputError, ServerError
from streams.lock_file import release, take

#: Below the range from which the kernel takes ports for outgoing connections (32768 on Linux), so that none is taken meanwhile.
_FREE_FIRST, _FREE_END = 20_000, 32_000
_FREE_TRIES_MAX = 1_000
_given: set[int] = set()
_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port that the stack is about to use: `name` for people, `option` is what changes it."""

    name: str
    port: int
    option: str


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Return `count` consecutive free ports, none of which this process was given before: its owner may not listen yet.

    Another program may take one before its use: callers check again.

    Raises:
        ServerError: no such range was found.
    """
    chance = random.Random(os.getpid() ^ int.from_bytes(os.urandom(4)))
    for _ in range(_FREE_TRIES_MAX):
        first = chance.randrange(_FREE_FIRST, _FREE_END - count)
        ports = list(range(first, first + count))
        if _given.isdisjoint(ports) and all(is_free(port) for port in ports):
            _given.update(ports)
            return ports
    raise ServerError(f"no {count} free ports in a row between {_FREE_FIRST} and {_FREE_END}: stop other servers")


def check_ports(uses: Iterable[PortUse]) -> None:
    """Make sure that all ports are free.

    Raises:
        ServerError: naming every taken port, its holder, and the option that chooses another.
    """
    listed = list(uses)
    problems = [
        f"{use.port} ({use.name}) is held by {holder(use.port) or 'a process of another user'}; choose another with {use.option}"
        for use in listed
        if not is_free(use.port)
    ]
    first = {use.port: use for use in reversed(listed)}
    problems += [
        f"{use.port} is given to both {first[use.port].name} and {use.name}: choose another with {use.option}"
        for use in listed
        if use is not first[use.port]
    ]
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise ServerError(
            f"{len(problems)} port(s) cannot be used:\n{lines}\nStop what holds them, or choose other ports."
        )


def holder(port: int) -> str | None:
    """Return `pid 123 (command line)` of the process that listens on a port; None where that cannot be seen."""
    inodes = _listening_inodes(port)
    processes = (int(process.name) for process in Path("/proc").iterdir() if process.name.isdigit())
    pid = next((pid for pid in processes if inodes and _holds(pid, inodes)), None)
    return None if pid is None else f"pid {pid} ({command_line(pid)})"


def command_line(pid: int) -> str:
    """The command line of a process, cut to 120 characters; `gone` where there is none."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        text = (
            " ".join(word.decode(errors="replace") for word in words) or Path(f"/proc/{pid}/comm").read_text().strip()
        )
    except OSError:
        return "gone"
    return text if len(text) <= 120 else text[:117] + "..."


def _listening_inodes(port: int) -> set[str]:
    inodes = set[str]()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:  # no such protocol on this machine
            continue
        sockets = (line.split() for line in lines)
        inodes |= {one[9] for one in sockets if one[3] == _LISTEN and int(one[1].rpartition(":")[2], 16) == port}
    return inodes


def _holds(pid: int, inodes: set[str]) -> bool:
    wanted = {f"socket:[{inode}]" for inode in inodes}
    try:
        return any(os.readlink(link) in wanted for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # another user's process, or it ended meanwhile
        return False


_SECONDS_MAX = 1.0
LOOPBACK = "127.0.0.1"
#: ApiVersions, version 0, correlation id 1, no client id: Kafka answers it as soon as the broker takes requests.
_API_VERSIONS = struct.pack(">hhih", 18, 0, 1, -1)


def kafka_answers(port: int) -> bool:
    """Whether the broker on this port takes requests: it listens earlier than that."""
    answer = _exchange(port, struct.pack(">i", len(_API_VERSIONS)) + _API_VERSIONS, 10)
    return len(answer) == 10 and struct.unpack(">ih", answer[4:10]) == (1, 0)


def redis_answers(port: int) -> bool:
    """Whether Redis has loaded its data and answers."""
    return _exchange(port, b"PING\r\n", 5) == b"+PONG"


def http_ok(port: int, path: str, host: str = LOOPBACK) -> bool:
    """Whether a GET is answered with status 200."""
    url = f"http://{host_port(reached(host), port)}{path}"
    try:
        return urllib3.request("GET", url, timeout=_SECONDS_MAX, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def reached(host: str) -> str:
    """Where a server is found that listens on an address; "every address" is none to connect to."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host)


def _exchange(port: int, request: bytes, length: int) -> bytes:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_SECONDS_MAX) as connection:
            connection.sendall(request)
            return connection.makefile("rb").read(length)
    except OSError:
        return b""


@contextmanager
def locked_by_us(path: Path, taken: str) -> Iterator[None]:
    """Hold a lock file within this, or say who has it.

    Raises:
        ServerError: `taken`, with the pid and the command line of the holder.
        InputError: the file cannot be made.
    """
    try:
        # Events and counts lie there: nobody else looks.
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = take(path, 0o644)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose another directory "
            "(--data-dir for the data, VIGIE_STACK_FILE for the record of the stack)"
        ) from None
    if file is None:
        raise ServerError(f"{taken}: {_lock_holder(path)}")
    try:
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        yield
    finally:
        release(path, file)


def _lock_holder(path: Path) -> str:
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):  # it has just been taken, its pid is not written yet
        return "its process could not be seen"
    return f"pid {pid} ({command_line(pid)})"
