"""Which token a request came with. The file is looked at before each answer, so that what `vigie token` changed holds from then on."""

import hmac
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import HTTPConnection

from streams.access.tokens import AccessScope, Token, TokenFile, digest, has_expired, token_id
from streams.errors import SettingsError, VigieError
from streams.web.tls import file_state

log = logging.getLogger(__name__)


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
        self._state = file_state(path)
        self._tokens = {token.id: token for token in self._file.read()}
        self.problem: str | None = None

    def find(self, text: str) -> Token:
        """Return the token with this text.

        Raises:
            TokenRefused: it is none, was revoked, or has expired.
            TokensUnreadable: the file cannot be used.
        """
        return self.by_id(token_id(text) or "", digest(text))

    def by_id(self, which: str, sha256: str | None = None) -> Token:
        """Return the token of this id, which must have this digest; None: of its holder we know otherwise. Raises as `find`."""
        self.refresh()
        if self.problem is not None:
            raise TokensUnreadable("tokens cannot be checked now: try again later")
        token = self._tokens.get(which)
        if token is None or (sha256 is not None and not hmac.compare_digest(sha256, token.sha256)):
            raise TokenRefused("this token is not known here, or was revoked: ask who runs Vigie for one")
        if has_expired(token, datetime.now(UTC)):
            raise TokenRefused(f"token {token.id} expired on {token.expires:%Y-%m-%d}: ask who runs Vigie for another")
        return token

    def refresh(self) -> None:
        """Read the file again if it changed; `problem` says what is wrong with it."""
        if (state := file_state(self._file.path)) == self._state:
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


#: Under this name a request's state holds its viewer.
STATE = "viewer"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody, by the name that the access log gives; `regions` None: all."""

    name: str
    scopes: frozenset[AccessScope]
    regions: frozenset[str] | None = None

    def may(self, scope: AccessScope) -> bool:
        """Whether this one may do what asks for this scope."""
        return scope in self.scopes or (
            AccessScope.ADMIN in self.scopes and scope in (AccessScope.READ, AccessScope.METRICS)
        )

    def sees(self, region: str | None) -> bool:
        """Whether this one sees a region; None is France."""
        return self.regions is None or region in self.regions

    @classmethod
    def of_token(cls, token: Token) -> "Viewer":
        """The holder of a token."""
        return cls(f"{token.id} {token.name}".strip(), frozenset(token.scopes), frozenset(token.regions) or None)


#: Where there is no lock: whoever reaches a server that listens on this machine alone.
ANYBODY = Viewer("anybody", frozenset((AccessScope.READ, AccessScope.METRICS, AccessScope.ADMIN)))
NOBODY = Viewer("nobody", frozenset())


def viewer_of(request: HTTPConnection) -> Viewer:
    """Who a request comes from; anybody, where no gate stands before the application."""
    found: Viewer = request.scope.get("state", {}).get(STATE, ANYBODY)
    return found
