"""Which token a request came with. The file is looked at before each answer, so that what `vigie token` changed holds from then on."""

from __future__ import annotations

import hmac
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from streams.access.tokens import Token, TokenFile, digest, has_expired, token_id
from streams.errors import SettingsError, VigieError

log = logging.getLogger(__name__)

_UNKNOWN = "this token is not known here, or was revoked: ask who runs Vigie for one"
#: What tells a changed file: it was renamed to its name, or written to.
_State = tuple[int, int, int, int]


class TokenRefused(VigieError):
    """Nobody is let in with this token; the message says no more than its holder may know."""


class TokensUnreadable(VigieError):
    """The file of tokens cannot be used now: nobody is let in, and nobody is told that a token is wrong."""

    exit_code = 3


class TokenBook:
    """The tokens of a file, as it is now."""

    def __init__(self, path: Path) -> None:
        """Read them.

        Raises:
            SettingsError: as `TokenFile.read`.
        """
        self._file = TokenFile(path)
        self._state = self._look()
        self._tokens = {token.id: token for token in self._file.read()}
        self.problem: str | None = None

    def find(self, text: str) -> Token:
        """Return the token with this text.

        Raises:
            TokenRefused: it is none, was revoked, or has expired.
            TokensUnreadable: the file cannot be used.
        """
        self.refresh()
        if self.problem is not None:
            raise TokensUnreadable("tokens cannot be checked now: try again later")
        token = self._tokens.get(token_id(text) or "")
        if token is None or not hmac.compare_digest(digest(text), token.sha256):
            raise TokenRefused(_UNKNOWN)
        return self._valid(token)

    def by_id(self, which: str) -> Token:
        """Return the token of this id, of whose holder we know otherwise; raises as `find`."""
        self.refresh()
        if self.problem is not None:
            raise TokensUnreadable("tokens cannot be checked now: try again later")
        token = self._tokens.get(which)
        if token is None:
            raise TokenRefused(_UNKNOWN)
        return self._valid(token)

    @staticmethod
    def _valid(token: Token) -> Token:
        if has_expired(token, datetime.now(UTC)):
            raise TokenRefused(f"token {token.id} expired on {token.expires:%Y-%m-%d}: ask who runs Vigie for another")
        return token

    def refresh(self) -> None:
        """Read the file again if it changed; `problem` says what is wrong with it."""
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            tokens = self._file.read()
        except SettingsError as error:
            self.problem = str(error)
            log.error("nobody is let in: %s", error)
            return
        self._tokens = {token.id: token for token in tokens}
        self.problem = None
        log.info("%d tokens are known now", len(tokens))

    def _look(self) -> _State | None:
        try:
            found = os.stat(self._file.path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode
