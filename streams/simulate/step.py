"""What the generator hands over for one second of traffic. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from streams.events import Reason


@dataclass(frozen=True, slots=True)
class Special:
    """A record that is not simply counted in its step's minute: a repeat, a delayed event (`reason` None), or a broken one."""

    key: bytes | None
    value: bytes
    minute: int = 0
    cell: int = 0
    repeat: bool = False
    reason: Reason | None = None


@dataclass(slots=True)
class Step:
    """One second of the clock: `specials` first (what was held back is older), then the regular events in the order of their `ts`.

    `keys`, `values` and `cells` go together; all regular events lie in the epoch minute `minute`.
    """

    second: int
    minute: int
    specials: list[Special]
    keys: list[bytes]
    values: list[bytes]
    cells: list[int]

    def __len__(self) -> int:
        return len(self.specials) + len(self.values)

    def cut(self, number: int) -> Step:
        """The first `number` records of the step."""
        regular = max(0, number - len(self.specials))
        return Step(
            self.second,
            self.minute,
            self.specials[:number],
            self.keys[:regular],
            self.values[:regular],
            self.cells[:regular],
        )
