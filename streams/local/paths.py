"""How to find a program, with a clear error when it is missing."""

from __future__ import annotations

import shutil

from streams.errors import ServerError
from streams.settings import deploy_dir

#: Debian keeps servers here, and an ordinary user's PATH does not name it.
_SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
#: What a local stack needs of the system; Maven only where Kafka's jars are not in the cache yet.
PROGRAMS = ("java", "redis-server", "prometheus", "prometheus-alertmanager")


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises:
        ServerError: it is not installed; the message says which command installs it.
    """
    found = _which(name)
    if found is None:
        raise _missing([name])
    return found


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=":".join(_SYSTEM_PATHS))


def _missing(names: list[str]) -> ServerError:
    script = deploy_dir() / "install-servers.sh"
    return ServerError(
        f"not installed: {', '.join(names)}. Install the servers of the local stack (as root or with sudo): {script}"
    )


def check_programs(also: tuple[str, ...] = ()) -> None:
    """Make sure that all servers, and the programs named, are installed.

    Raises:
        ServerError: naming all that are missing at once, and the command that installs them.
    """
    missing = [name for name in (*PROGRAMS, *also) if _which(name) is None]
    if missing:
        raise _missing(missing)
