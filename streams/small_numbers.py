"""Few people are not told as a number: distinct users below a threshold could say who they are. Pure.

The one place that decides. Who reads sketches of users asks it, and hands None on in place of a number that is too small; what shows
figures says `french` or `english` there. Nobody at all is told as 0.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SmallNumbers:
    """`shown_min`: the smallest number of distinct users that is told (setting `users_shown_min`); 1 tells all."""

    shown_min: int

    def told(self, users: int) -> int | None:
        """The number as it may be told; None where it is too small."""
        return users if users == 0 or users >= self.shown_min else None

    @property
    def french(self) -> str:
        """What screens say in its place."""
        return f"moins de {self.shown_min}"

    @property
    def english(self) -> str:
        """What commands say in its place."""
        return f"fewer than {self.shown_min}"
