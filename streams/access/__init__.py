"""Who may do what: tokens, kept as hashes in one file; who a request comes from; what each route asks for."""

from streams.access.gate import Gate, Lock, RouteScopes
from streams.access.token_book import TokenBook, TokenRefused, TokensUnreadable
from streams.access.tokens import AccessScope, Grant, NewToken, Token, TokenFile
from streams.access.viewer import ANYBODY, Viewer, viewer_of

__all__ = [
    "ANYBODY",
    "AccessScope",
    "Gate",
    "Grant",
    "Lock",
    "NewToken",
    "RouteScopes",
    "Token",
    "TokenBook",
    "TokenFile",
    "TokenRefused",
    "TokensUnreadable",
    "Viewer",
    "viewer_of",
]
