"""`vigie check --project`: reads the last records of the topic and says, finding by finding, what a project's integrator should know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from streams.audit.check import Finding, Level, guarded
from streams.audit.log import Unread, open_log
from streams.audit.project import VALUES_NAMED, ProjectView, share_of
from streams.audit.rejects import printable
from streams.broker import KafkaAddress
from streams.catalog import UNKNOWN
from streams.clock import paris_text
from streams.count import Cut
from streams.events import PSEUDONYM_CHARACTERS_MIN
from streams.live import LiveReader

#: At most this many records are read, the newest: some five seconds.
RECORDS_MAX = 300_000
#: An event this far ahead of the broker's clock tells a clock that is wrong.
AHEAD_MS_MAX = 2_000
#: A line of what a sender sent is cut after so many characters.
LINE_CHARACTERS_MAX = 200
#: Minutes of Redis that are searched for a silent project's last event, at a time.
MINUTES_A_LOOK = 240


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read: `records` of the topic, taken by the broker since `since_ms`, as of `now_ms`."""

    records: int
    since_ms: int
    now_ms: int

    @property
    def minutes(self) -> float:
        """How long a time that is."""
        return max(self.now_ms - self.since_ms, 1000) / 60_000


def look_at_project(
    address: KafkaAddress, topic: str, view: ProjectView, *, now_ms: int, minutes: int, look: Callable[[int, int], None]
) -> Looked:
    """Feed `view` with the records of the last `minutes`, or with the newest `RECORDS_MAX` of them.

    Raises:
        ServerError: Kafka does not answer.
    """
    since_ms = now_ms - minutes * 60_000
    with open_log(address, topic) as log:
        starts = log.offsets_since(since_ms)
        each_max = RECORDS_MAX // len(starts)
        view.partitions = len(starts)
        cut = {number: max(start, log.ends[number] - each_max) for number, start in starts.items()}
        total, read = sum(log.ends.values()) - sum(cut.values()), 0
        oldest_ms: dict[int, int] = {}
        for number, records in log.read(log.ends, cut):
            if isinstance(records, Unread):
                read += records.number
                if records.append_ms >= since_ms:
                    oldest_ms.setdefault(number, records.append_ms)
                    view.unread += records.number
                continue
            for record in records:
                if record.timestamp >= since_ms:
                    oldest_ms.setdefault(number, record.timestamp)
                    view.add(number, record.timestamp, record.key, record.value)
            read += len(records)
            look(read, total)
    # Where a partition was cut, the period is the one that all of them cover.
    were_cut = [oldest_ms.get(number, since_ms) for number, start in starts.items() if cut[number] > start]
    return Looked(read, max([since_ms, *were_cut]), now_ms)


def project_findings(view: ProjectView, looked: Looked, lateness_ms: int) -> Iterator[Finding]:
    """What was seen, in the order in which it should be mended."""
    if view.project not in {each.code for each in view.catalog.projects}:
        alike = view.catalog.project_like(view.project)
        meant = f". Is it {alike}?" if alike else ""
        yield Finding(
            Level.PROBLEM,
            "project",
            f"{view.project} is not in projects.yaml: its events count under {UNKNOWN}; add it, or send the id that is there{meant}",
        )
    period = (
        f"since {paris_text(looked.since_ms, view.shift_seconds, 'seconds')} ({looked.minutes:.1f} min, "
        f"{looked.records:,} records of all projects read)"
    )
    if not view.accepted:
        yield Finding(Level.PROBLEM, "events", f"none that counts {period}")
    else:
        rate = f"{view.accepted:,} that count, {view.accepted / looked.minutes:,.1f} a minute, of {len(view.visitors):,} visitors"
        yield Finding(Level.OK, "events", f"{rate}, {period}")
    for seen in reversed(view.last):
        codes = " ".join(each or "-" for each in (seen.event.uai, seen.event.service, seen.event.profile))
        sent = printable(f"{codes}  id {seen.event.id}".encode(), LINE_CHARACTERS_MAX)
        when = paris_text(seen.append_ms, view.shift_seconds, "milliseconds")
        yield Finding(Level.OK, "last", f"{when}  {sent}  partition {seen.partition}")
    yield from _rejects(view)
    yield from _codes(view)
    if view.accepted:
        yield from _clock(view, lateness_ms)
        yield from _repeats(view)
        yield from _keys(view)


def _rejects(view: ProjectView) -> Iterator[Finding]:
    for reason, sample in sorted(view.rejected.items(), key=lambda item: -item[1].number):
        yield Finding(Level.PROBLEM, "rejected", f"{reason.value}: {sample.number:,}, for instance {sample.first}")
    if not view.rejected:
        yield Finding(Level.OK, "rejected", "none that names this project")
    if view.nobodys:
        yield Finding(
            Level.WARNING,
            "rejected",
            f"{view.nobodys:,} records name no project that can be read: should some be yours, see `vigie rejects list --project -`",
        )
    if view.unread:
        yield Finding(
            Level.WARNING,
            "rejected",
            f"{view.unread:,} records are in batches that unpack to more than unpacked_mib_max, or are damaged: they may be anybody's",
        )


def _codes(view: ProjectView) -> Iterator[Finding]:
    for name, values in view.unknown.items():
        named = ", ".join(f"{value} ({number:,})" for value, number in values.most_common(VALUES_NAMED))
        more = f" and {len(values) - VALUES_NAMED} more" if len(values) > VALUES_NAMED else ""
        share = values.total() / max(view.accepted, 1)
        yield Finding(
            Level.WARNING,
            "codes",
            f"{name}: {values.total():,} events ({share:.1%}) count under {UNKNOWN}: {named}{more}",
        )
    if view.accepted and not view.unknown:
        yield Finding(Level.OK, "codes", "all are known")


def _clock(view: ProjectView, lateness_ms: int) -> Iterator[Finding]:
    behind = sorted(view.behind_ms)
    median, most, ahead = share_of(behind, 0.5), share_of(behind, 0.95), -behind[0]
    text = f"the broker takes events {median / 1000:.1f} s after their ts (median), 95 % within {most / 1000:.1f} s"
    if ahead > AHEAD_MS_MAX:
        yield Finding(
            Level.WARNING,
            "clock",
            f"{text}; one came {ahead / 1000:.1f} s before its ts: set the senders' clocks by NTP",
        )
    elif most > lateness_ms:
        yield Finding(
            Level.WARNING,
            "clock",
            f"{text}: later than {lateness_ms / 1000:g} s is late; send events when they happen, and look at the senders' clocks",
        )
    else:
        yield Finding(Level.OK, "clock", text)


def _repeats(view: ProjectView) -> Iterator[Finding]:
    if view.repeats_elsewhere.number:
        yield Finding(
            Level.PROBLEM,
            "repeats",
            f"{view.repeats_elsewhere.number:,} repeats of an id lie in another partition, and count twice, "
            f"for instance {view.repeats_elsewhere.first}: one id, one visitor, one key",
        )
    share = view.repeats / view.accepted
    text = f"{view.repeats:,} repeats of an id ({share:.1%}), removed"
    if share > 0.2:
        yield Finding(Level.WARNING, "repeats", f"{text}: is one id given to several events?")
    else:
        yield Finding(Level.OK, "repeats", text)


def _keys(view: ProjectView) -> Iterator[Finding]:
    other, wrong, nobody = view.other_key, view.wrong_partition, view.no_pseudonyms
    problems = (
        (view.no_key, f"{view.no_key:,} events have no key: it must be the UTF-8 of visitor"),
        (
            other.number,
            f"{other.number:,} events have another key than their visitor, for instance {other.first}: the key must be the UTF-8 of "
            "visitor",
        ),
        (
            wrong.number,
            f"{wrong.number:,} events lie in the wrong partition, for instance {wrong.first}: set the client's partitioner to murmur2 "
            "(librdkafka: partitioner=murmur2_random)",
        ),
    )
    yield from (Finding(Level.PROBLEM, "keys", text) for number, text in problems if number)
    if not any(number for number, _text in problems):
        yield Finding(Level.OK, "keys", "every event lies in its visitor's partition")
    if nobody.number:
        yield Finding(
            Level.WARNING,
            "visitor",
            f"{nobody.number:,} events have a visitor that may be a name, a login or a number, or is guessed soon "
            f"(under {PSEUDONYM_CHARACTERS_MIN} characters), for instance {nobody.first}: a pseudonym is HMAC-SHA-256 of the user id "
            "under a secret",
        )


def last_counted(reader: LiveReader, view: ProjectView) -> Iterator[Finding]:
    """When Redis last counted an event of the project, among the minutes it holds."""
    held = reader.held()
    for end in range(len(held), 0, -MINUTES_A_LOOK):
        for minute in reversed(reader.fetch(held[max(0, end - MINUTES_A_LOOK) : end])):
            if number := minute.counts.get((Cut.PROJECT, view.project), 0):
                when = paris_text(minute.minute * 60_000, view.shift_seconds)
                yield Finding(Level.OK, "counted", f"the last minute with events of it is {when} ({number:,})")
                return
    yield Finding(Level.WARNING, "counted", "no minute that Redis holds has an event of it")


def check_project(
    address: KafkaAddress,
    topic: str,
    reader: LiveReader,
    *,
    view: ProjectView,
    lateness_ms: int,
    now_ms: int,
    minutes: int,
    look: Callable[[int, int], None],
) -> Iterator[Finding]:
    """All findings of a project; a server that is away is one of them."""
    yield from guarded(
        "kafka",
        lambda: project_findings(
            view, look_at_project(address, topic, view, now_ms=now_ms, minutes=minutes, look=look), lateness_ms
        ),
    )
    yield from guarded("redis", lambda: last_counted(reader, view))
