"""Where the files of `deploy/` are, and how to find a program with a clear error when it is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from streams.errors import ServerError

_PACKAGE = Path(__file__).resolve().parent.parent
#: Debian keeps servers here, and an ordinary user's PATH does not name it.
_SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def deploy_dir() -> Path:
    """`deploy/` beside the package in a checkout, the copy inside the package in an installed wheel."""
    checkout = _PACKAGE.parent / "deploy"
    return checkout if checkout.is_dir() else _PACKAGE / "_deploy"


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises:
        ServerError: it is not installed; the message says which command installs it.
    """
    found = shutil.which(name) or shutil.which(name, path=":".join(_SYSTEM_PATHS))
    if found is None:
        script = deploy_dir() / "install-servers.sh"
        raise ServerError(
            f"{name} is not installed: run `{script}` (as root or with sudo), which installs all servers of the local stack"
        )
    return found
