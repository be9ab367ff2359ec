"""What each part of the chain says was counted: Redis, `/metrics`, Prometheus, the recount."""

from collections.abc import Mapping
from dataclasses import dataclass

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from streams import topics
from streams.audit.recount import Recount
from streams.broker import KafkaAddress
from streams.count import Cut, Field
from streams.errors import ServerError
from streams.live import LiveReader

_HTTP_SECONDS_MAX = 10
#: The cuts of a minute that the truth of a simulation knows.
MINUTE_CUTS = (Cut.EVENTS, Cut.PROJECT, Cut.PROFILE, Cut.ACADEMY)

#: The counters of events, rejected events and repeats, as `/metrics` names their families.
COUNTERS = ("ent_events", "ent_events_rejected", "ent_events_duplicate")
#: (labels, value) of each series.
_Series = list[tuple[dict[str, str], float]]
#: (epoch minute, field) -> count.
Minutes = dict[tuple[int, Field], int]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one source says. None: it does not know. `minutes` holds the cuts that this source knows. `resent`: so many of what it published
    may stand in Kafka once more, each a repeat.
    """

    source: str
    published: int | None = None
    counted: int | None = None
    rejected: int | None = None
    duplicates: int | None = None
    rejected_by_reason: Mapping[str, int] | None = None
    minutes: Minutes | None = None
    resent: int = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """Where the figures are."""

    reader: LiveReader
    kafka: KafkaAddress
    topic: str
    observer_url: str
    prometheus_url: str


def log_ends(kafka: KafkaAddress, topic: str) -> dict[int, int]:
    """Where the log of each partition ends; of none where there is no such topic.

    Raises:
        ServerError: Kafka does not answer.
    """
    with topics.admin_client(kafka) as client:
        found = topics.identify_topic(client, topic)
        return topics.log_ends(client, topic, range(found[1] if found else 0))


def redis_figures(chain: Chain) -> Figures:
    """Totals and all minutes as Redis holds them."""
    totals = chain.reader.snapshot().totals
    reasons = {field[1]: number for field, number in totals.items() if field[0] == Cut.REJECTED}
    minutes = {
        (counts.minute, field): number
        for counts in chain.reader.minutes()
        for field, number in counts.counts.items()
        if field[0] in MINUTE_CUTS
    }
    return Figures(
        "Redis",
        counted=sum(number for field, number in totals.items() if field[0] == Cut.EVENTS),
        rejected=sum(reasons.values()),
        duplicates=sum(number for field, number in totals.items() if field[0] == Cut.DUPLICATE),
        rejected_by_reason=reasons,
        minutes=minutes,
    )


def metrics_figures(chain: Chain) -> Figures:
    """Totals as an observer exposes them."""
    families = text_string_to_metric_families(_get(f"{chain.observer_url}/metrics").data.decode())
    found = {family.name: [(sample.labels, sample.value) for sample in family.samples] for family in families}
    return _of_series("/metrics", *(found.get(name, []) for name in COUNTERS))


def _of_series(source: str, events: _Series, rejected: _Series, duplicates: _Series) -> Figures:
    reasons = {labels["reason"]: int(value) for labels, value in rejected if value}
    return Figures(
        source,
        counted=sum(int(value) for _labels, value in events),
        rejected=sum(reasons.values()),
        duplicates=sum(int(value) for _labels, value in duplicates) if duplicates else None,
        rejected_by_reason=reasons,
    )


def query(prometheus_url: str, expression: str) -> _Series:
    """Ask Prometheus for an instant vector: (labels, value) of each series.

    Raises:
        ServerError: Prometheus is down or refuses the query.
    """
    result = _get(f"{prometheus_url}/api/v1/query", query=expression).json()["data"]["result"]
    return [(series["metric"], float(series["value"][1])) for series in result]


def prometheus_figures(chain: Chain) -> tuple[Figures, dict[Field, int]]:
    """Totals as Prometheus's query API tells them, and those by region and service."""
    found = [query(chain.prometheus_url, f"max without (instance, pod) ({name}_total)") for name in COUNTERS]
    by_field: dict[Field, int] = {
        (Cut.EVENTS, labels["region"], labels["service"]): int(value) for labels, value in found[0] if value
    }
    return _of_series("Prometheus", *found), by_field


def recount_figures(found: Recount, redis: Figures) -> Figures:
    """Totals of a recount that compared all of them: Redis's, and what differs."""
    totals = {"region,service": redis.counted or 0, "rejected": redis.rejected or 0, "duplicate": redis.duplicates or 0}
    for each in found.compared.differences:
        if each.minute is None and each.row[0] in totals:
            totals[each.row[0]] += each.recount - each.redis
    return Figures("recount", found.records, totals["region,service"], totals["rejected"], totals["duplicate"])


def _get(url: str, **fields: str) -> urllib3.BaseHTTPResponse:
    try:
        answer = urllib3.request("GET", url, fields=fields, timeout=_HTTP_SECONDS_MAX, retries=False)
    except urllib3.exceptions.HTTPError as error:
        raise ServerError(f"{url} does not answer as needed: {error}; see its log") from error
    if answer.status != 200:
        raise ServerError(f"{url} does not answer as needed: HTTP Error {answer.status}: {answer.reason}; see its log")
    return answer
