"""TLS of a server: its certificate, read again when its files change, and a close that waits until everything is taken."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.errors import SettingsError

if TYPE_CHECKING:
    from streams.web.protocol import BoundedProtocol

log = logging.getLogger(__name__)

#: The files are looked at before a handshake, and no more often than this.
LOOK_SECONDS = 1.0
#: How often a connection that is to be closed is looked at, whether its client has taken everything.
TAKEN_LOOK_SECONDS = 0.05


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


class SecuredTransport:
    """TLS over a connection, closed once the client has taken what was written: asyncio's own close cuts it after `SHUTDOWN_SECONDS`."""

    def __init__(self, raw: asyncio.Transport, secured: asyncio.Transport, protocol: BoundedProtocol) -> None:
        self._raw, self._secured, self._protocol = raw, secured, protocol
        self._closing = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._secured, name)

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not yet; what is encrypted already waits in the connection below."""
        return self._secured.get_write_buffer_size() + self._raw.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._closing or self._secured.is_closing()

    def close(self) -> None:
        if not self.is_closing():
            self._closing = True
            self._protocol.watch_taking()
            self._close_when_taken()

    def _close_when_taken(self) -> None:
        # A connection that the client left has an empty buffer, whatever was not yet encrypted.
        is_left = self._raw.is_closing() and not self._raw.get_write_buffer_size()
        if is_left or not self.get_write_buffer_size():
            self._protocol.all_is_taken()
            self._secured.close()
        else:
            self._protocol.loop.call_later(TAKEN_LOOK_SECONDS, self._close_when_taken)
