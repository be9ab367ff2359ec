"""Names of every key in Redis. All carry one hash tag, so that they can be told, given rights to and removed together.

| key | type | holds |
|---|---|---|
| `{p}:meta` | hash | `layout`, `catalog`, `topic`, `topic_id`, `partitions`, `settled_ms`; `applying` while a call is being written |
| `{p}:offsets` | hash | partition -> `first next append_ms watermark_ms` |
| `{p}:heartbeats` | hash | partition -> JSON of its owner's last heartbeat |
| `{p}:totals` | hash | field -> count since the beginning |
| `{p}:minutes` | sorted set | epoch minute, scored by itself |
| `{p}:minute:<epoch minute>` | hash | field -> count of that minute |
| `{p}:sketch:<epoch minute>:<sketch>` | HyperLogLog | visitors or establishments of that minute, for 20 minutes of settled time |
| `{p}:sketches` | sorted set | `<epoch minute>:<sketch>`, scored by the minute |
| `{p}:day:<date>:<sketch>` | HyperLogLog | visitors of a local day, for 72 h |
| `{p}:days` | sorted set | `<date>:<sketch>`, scored by the date as a number (20260901) |
| `{p}:unseen:<list>` | hash | value that no list knows, as it was sent -> events; "" for those that are not held by value |
| `{p}:unseen_at:<list>` | sorted set | the same values, scored by when they were last seen (epoch ms, append time) |
| `{p}:archives` | hash | archive's id -> JSON of how far it has come (`streams.live.archived_hours.Announced`) |
| `{p}:observers` | hash | observer's host and port -> JSON of what it says of itself (`streams.live.observers.ObserverSaid`) |
| `{p}:settled` | sorted set | epoch minute, scored by the time (epoch ms, Redis's clock) at which it settled |
| `{p}:base` | hash | field -> count carried over from the prefix that this one took the place of (`streams.live.prefixes`) |

`meta` also holds `trimmed_before` (minutes before it were removed), `missed_events` (removed without any archive having them), `beside`
(the prefix beside which these counts are being made, until they are opened) and `continues` (that prefix, from then on).

A field is a cut and its codes joined by `:`, for instance `e:44:CAHIER_TEXTES` (see `streams.count.delta.Cut`).
"""

from streams.count import Field

#: Version of this layout; stored in Redis, another one there is refused.
LAYOUT = "2"
#: Layouts whose offsets, totals and minutes are written as this one's, so that `vigie upgrade` can read them. In 1, ids and visitors were
#: remembered over all projects together.
READABLE_LAYOUTS = frozenset({"1", LAYOUT})
#: Minutes of settled time for which the sketches of a minute are kept.
SKETCH_MINUTES_KEPT = 20
#: Days for which the sketches of a day are kept.
SKETCH_DAYS_KEPT = 3


def base_of(prefix: str) -> str:
    """What every key of one installation begins with; `prefix` is the hash tag without its braces."""
    return "{" + prefix + "}:"


def encode_field(field: Field) -> str:
    """`(Cut.EVENTS, "44", "NOTES")` -> `e:44:NOTES`. Codes never hold a colon: the catalog refuses them."""
    return ":".join(field)
