"""Who may do what: tokens, kept as hashes in one file; who a request comes from; what each route asks for."""

from streams.access.gate import Gate, Lock, RouteScopes
from streams.access.token_book import ANYBODY, TokenBook, TokenRefused, TokensUnreadable, Viewer, viewer_of
from streams.access.tokens import AccessScope, Grant, NewToken, Token, TokenFile

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
