"""Values that no list knows, as they were sent: for operators, so that what counts under `INCONNU` has a name.

They are written in the call that counts their events, so that their numbers are as exact as the counts. Of each list at most `VALUES_MAX`
are held; beyond, the one that was seen longest ago makes room, and its events go to `""`, the rest. Cut, and gone after a while.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from streams.live import checked
from streams.live.connection import Client, run

#: What may be unseen, in the order in which it is shown.
LISTS = ("service", "profile", "project", "uai")
VALUES_MAX = 500
CHARACTERS_MAX = 64
#: A value that did not come for this long is forgotten, unless the settings say otherwise.
KEPT_MS = 24 * 3_600_000
#: Stands for all that is not listed by value.
REST = ""


@dataclass(frozen=True, slots=True)
class UnseenValue:
    """`events` of the list `kind` that carried `value` since it was first seen; `last_seen_ms` is the broker's append time.

    `value` is `REST` for those that are not listed by value; they have no time.
    """

    kind: str
    value: str
    events: int
    last_seen_ms: int | None


def listed(unseen: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Return list -> value -> events as they are stored (`shown`)."""
    found: dict[str, dict[str, int]] = {}
    for (kind, value), number in unseen.items():
        assert kind in LISTS, f"{kind!r} is no list of unseen values"
        values = found.setdefault(kind, {})
        text = shown(value)
        values[text] = values.get(text, 0) + number
    return found


def shown(value: str) -> str:
    """Return a value as it is kept and shown: as it was sent, what does not print escaped (`\\n`, `\\u202e`), cut with `...`.

    `REST` (no text) stays so.
    """
    text = "".join(
        character if character.isprintable() and character != "\\" else character.encode("unicode_escape").decode()
        for character in value[:CHARACTERS_MAX]
    )
    return text if len(value) <= CHARACTERS_MAX else f"{text}..."


class UnseenReader:
    """The part of a `LiveReader` that looks at unseen values (`reader.unseen`); raises `ServerError` when Redis does not answer."""

    def __init__(self, client: Client, base: str, kept_ms: int) -> None:
        self._kept_ms = kept_ms
        self._base = base
        self._redis = client

    def values(self) -> list[UnseenValue]:
        """Return what is held and not to be forgotten: by list, most events first, the rest last."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.time()
        for kind in LISTS:
            pipeline.hgetall(f"{self._base}unseen:{kind}")
            pipeline.zrange(f"{self._base}unseen_at:{kind}", 0, -1, withscores=True)
        (seconds, micros), *answers = run(self._redis, pipeline)
        oldest_ms = seconds * 1000 + micros // 1000 - self._kept_ms
        found: list[UnseenValue] = []
        for kind, events, seen in zip(LISTS, answers[::2], answers[1::2], strict=True):
            key = f"{self._base}unseen:{kind}"
            numbers = {value: checked.integer(text, f"{key} {value}") for value, text in events.items()}
            young = [(value, checked.score(at_ms, key, value)) for value, at_ms in seen if at_ms >= oldest_ms]
            named = [UnseenValue(kind, value, numbers.get(value, 0), at_ms) for value, at_ms in young]
            found += sorted(named, key=lambda each: (-each.events, each.value))
            if rest := numbers.get(REST, 0):
                found.append(UnseenValue(kind, REST, rest, None))
        return found

    def sizes(self) -> dict[str, int]:
        """Return how many values each list holds that are not to be forgotten."""
        sizes = dict.fromkeys(LISTS, 0)
        for each in self.values():
            sizes[each.kind] += each.value != REST
        return sizes
