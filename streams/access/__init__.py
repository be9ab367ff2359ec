"""Who may do what: tokens, kept as hashes in one file, and how a file of them is found changed."""

from streams.access.token_book import TokenBook, TokenRefused, TokensUnreadable
from streams.access.tokens import NewToken, Token, TokenFile

__all__ = ["NewToken", "Token", "TokenBook", "TokenFile", "TokenRefused", "TokensUnreadable"]
