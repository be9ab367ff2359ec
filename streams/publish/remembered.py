"""What was found once and is asked for again, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class FoundOnce(dict[Key, Value]):
    """key -> what `find` says of it; found anew for all once there are `most`. A dictionary: it answers at half the cost of `lru_cache`."""

    def __init__(self, find: Callable[[Key], Value], most: int) -> None:
        super().__init__()
        self._find = find
        self._most = most

    def __missing__(self, key: Key) -> Value:
        if len(self) >= self._most:
            self.clear()
        value = self[key] = self._find(key)
        return value
