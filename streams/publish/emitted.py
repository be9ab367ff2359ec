"""What one line of an emitter's log is: a visit, something that does not count, or nothing readable. Plain values, no I/O.

A reader of `streams.publish` turns a line into one of these three and never raises, whatever the line holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

#: What the tables do not know is sent as it was found, cut to this: it counts under `INCONNU` and is listed for operators.
CODE_CHARACTERS_MAX = 64
#: Kinds of skipped lines that are told apart; a log may hold any text where a kind stands.
KIND_CHARACTERS_MAX = 32
#: `ts` of a readable line: 1970 to 2286, in epoch ms. Whether it is too old is checked by the chain, not here.
TS_MS_MAX = 10_000_000_000_000


class Visit(msgspec.Struct, frozen=True, gc=False):
    """One authenticated use of a service, before its user has become a pseudonym. `project` chooses the secret."""

    project: str
    ts_ms: int
    user_id: str
    service: str | None
    uai: str | None = None
    profile: str | None = None
    type: str | None = None
    tool: str | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """A line that is no authenticated use of a service; `kind` says what it is, in a few words that many lines share."""

    kind: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is not what the format says; `why` tells what to mend."""

    why: str


Reading = Visit | Skip | Unreadable

NOT_AUTHENTICATED = Skip("not authenticated")


def code_of(text: str) -> str | None:
    """Return a code as it may be sent: printable, at most `CODE_CHARACTERS_MAX` characters; None where nothing is left."""
    cut = "".join(character for character in text[: 2 * CODE_CHARACTERS_MAX] if character.isprintable())
    return cut.strip()[:CODE_CHARACTERS_MAX] or None


def kind_of(what: str, value: object) -> Skip:
    """Return a skip whose kind quotes the line, cut and printable."""
    text = value if isinstance(value, str) else type(value).__name__
    shown = "".join(character for character in text[:KIND_CHARACTERS_MAX] if character.isprintable())
    return Skip(f"{what} {shown or '(empty)'}")
