"""Who visited, and which event it is, without saying who: pseudonyms and event ids. Pure."""

from __future__ import annotations

import hmac
import os
import time

from streams.errors import InputError

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]


def pseudonym(secret: bytes | str, user_id: str) -> str:
    """Return the `visitor` of an event: HMAC-SHA-256 of the ENT's user id with the project's secret, 64 hexadecimal digits.

    Text is taken as UTF-8. The same person must always be given by the same text: `42` and `042` are two visitors. The secret stays with
    the ENT; Vigie never sees it, nor the user id.

    Raises:
        InputError: the secret or the user id is empty.
    """
    if not secret or not user_id:
        raise InputError("A pseudonym needs a secret and a user id that are not empty; see docs/integration.md")
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(key, user_id.encode(), "sha256").hex()


def new_event_id(ts_ms: int | None = None) -> str:
    """Return a ULID: 26 characters that sort by time (`ts_ms`, else now) and hold 80 random bits."""
    number = (time.time_ns() // 1_000_000 if ts_ms is None else ts_ms) & 0xFFFF_FFFF_FFFF
    number = number << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])
