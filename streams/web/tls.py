"""The certificate that a server shows, read again when its files change: certificates of today live for weeks."""

from __future__ import annotations

import logging
import os
import ssl
import time
from pathlib import Path

from streams.errors import SettingsError

log = logging.getLogger(__name__)

#: The files are looked at before a handshake, and no more often than this.
LOOK_SECONDS = 1.0


class TlsFiles:
    """A certificate with its chain and its key, PEM, the key not encrypted."""

    def __init__(self, certfile: Path, keyfile: Path) -> None:
        """Read them.

        Raises:
            SettingsError: they are no pair that can be shown.
        """
        self._certfile, self._keyfile = certfile, keyfile
        self._state = self._look()
        self._context = self._load()
        self._looked_at = time.monotonic()

    def context(self) -> ssl.SSLContext:
        """What the next handshake uses; files that cannot be used leave what was there, and that is logged once."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return self._context
        self._looked_at = now
        if (state := self._look()) != self._state:
            self._state = state
            try:
                self._context = self._load()
                log.info("the certificate in %s is shown from now on", self._certfile)
            except SettingsError as error:
                log.error("%s (the certificate that was read before is still shown)", error)
        return self._context

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self._certfile, self._keyfile, password=_no_password)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"tls_certfile {self._certfile} and tls_keyfile {self._keyfile} cannot be shown: "
                f"{error.strerror or error if isinstance(error, OSError) else error}; both are PEM, the key belongs to the first "
                "certificate and is not encrypted"
            ) from None
        return context

    def _look(self) -> tuple[FileState | None, ...]:
        return tuple(file_state(path) for path in (self._certfile, self._keyfile))


#: What tells a changed file: another one was renamed to its name, or it was written to, or opened to others.
FileState = tuple[int, int, int, int]


def file_state(path: Path) -> FileState | None:
    """The state of a file now; None where it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _no_password() -> str:
    raise ValueError("the key is encrypted")
