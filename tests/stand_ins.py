"""What a test hands on where a part asks for a server that it never reaches."""

from typing import Any

#: Asked anything, it fails.
NOBODY: Any = None


class _NoMinutes:
    def held(self, first: int, end: int) -> list[Any]:
        return []


#: A Redis that holds no minute; asked anything else, it fails.
NO_MINUTES: Any = _NoMinutes()
