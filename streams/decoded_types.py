"""Types that msgspec decodes into, made known to it one at a time.

msgspec looks at a type when it first meets it. Two threads that meet one at the same moment crash the interpreter (0.22).
"""

import threading
from typing import Any, TypeVar

import msgspec

Kind = TypeVar("Kind")

_LOCK = threading.Lock()
_known: set[Any] = set()


def known(kind: type[Kind]) -> type[Kind]:
    """The same type, which any number of threads may now decode into."""
    if kind not in _known:
        with _LOCK:
            msgspec.json.Decoder(kind)
            _known.add(kind)
    return kind
