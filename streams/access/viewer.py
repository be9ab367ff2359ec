"""Who looks: what a request's holder may see. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from streams.access.tokens import AccessScope, Token

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
    def of_token(cls, token: Token) -> Viewer:
        """The holder of a token."""
        name = f"{token.id} {token.name}".strip()
        return cls(name, frozenset(token.scopes), frozenset(token.regions) or None)


#: Where there is no lock: whoever reaches a server that listens on this machine alone.
ANYBODY = Viewer("anybody", frozenset((AccessScope.READ, AccessScope.METRICS, AccessScope.ADMIN)))
NOBODY = Viewer("nobody", frozenset())


def viewer_of(request: HTTPConnection) -> Viewer:
    """Who a request comes from; anybody, where no gate stands before the application."""
    found: Viewer = request.scope.get("state", {}).get(STATE, ANYBODY)
    return found
