"""The four formats end to end: from the samples of tests/data, moved to the present, to the counts in Redis."""

import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from streams.catalog import Catalog
from streams.count import Cut
from tests.publish.samples import Sample, samples
from tests.servers.conftest import Installation
from tests.servers.test_publish import records
from tests.servers.test_publish_command import vigie
from tests.servers.truth import differences, snapshot_of, total, wait_drained
from tests.servers.workers import workers

pytestmark = pytest.mark.servers
#: The samples begin at 1 September 2026, 07:52 Paris time.
BEGINS = datetime(2026, 9, 1, 5, 52, tzinfo=UTC)
_JSON_TIME = re.compile(r'("(?:ts|date)": ?)(1788\d{9})')
_LOG_TIME = re.compile(r"\d\d/Sep/2026:\d\d:\d\d:\d\d \+0200")


def moved(sample: Sample, directory: Path) -> tuple[Path, list[str]]:
    """The sample, as if it began ten minutes ago, and its options."""
    shift = timedelta(seconds=int(time.time()) - 600) + datetime(1970, 1, 1, tzinfo=UTC) - BEGINS

    def in_log(found: re.Match[str]) -> str:
        return (datetime.strptime(found[0], "%d/%b/%Y:%H:%M:%S %z") + shift).strftime("%d/%b/%Y:%H:%M:%S %z")

    def in_json(found: re.Match[str]) -> str:
        return f"{found[1]}{int(found[2]) + int(shift.total_seconds() * 1000)}"

    path = directory / sample.path.name
    path.write_text(_LOG_TIME.sub(in_log, _JSON_TIME.sub(in_json, sample.path.read_text())))
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}Z"
    return path, [at if option.startswith("2026-") else option for option in sample.options]


def test_four_formats_are_counted_and_twice_is_once(installation: Installation, catalog: Catalog) -> None:
    known = samples()
    projects = {project for sample in known for project in sample.projects}
    secrets = {f"VIGIE_SECRET_{project.upper()}": f"a secret of {project}, long enough" for project in projects}
    ent = Installation(installation.settings, {**installation.environment, **secrets}, installation.directory)
    with workers(installation.environment, installation.directory, 1):
        for sample in known:
            path, options = moved(sample, installation.directory)
            for again in ((), ("--again",)):
                done = vigie(ent, "publish", *options, *again, str(path))
                text = done.message
                assert done.code == (1 if sample.unreadable else 0), text
                assert f"{sample.sent} delivered" in text, text
        marked = vigie(ent, "publish", *options, str(path))
        assert (marked.code, "1 lines read: 0 delivered" in marked.message) == (1, True), marked.message
        wait_drained(installation.settings)
    found = snapshot_of(installation.settings)
    counts: Counter[tuple[str, str]] = Counter()
    for sample in known:
        counts.update({(region, service): n for region, some in sample.counts.items() for service, n in some.items()})
    assert {key[1:]: n for key, n in found.totals.items() if key[0] == Cut.EVENTS} == counts
    assert {key[1]: n for key, n in found.totals.items() if key[0] == Cut.PROJECT} == sum(
        (Counter(sample.projects) for sample in known), Counter()
    )
    assert total(found, Cut.REJECTED) == 2 * sum(sum(sample.rejected.values()) for sample in known)
    assert total(found, Cut.DUPLICATE) == counts.total() + 2 * sum(sample.duplicates for sample in known)
    assert differences(installation.settings, catalog) == []
    for _, _, value in records(installation.settings):
        # The digits of a time or of an id, and those of a pseudonym, may be these by chance.
        plain = {
            name: member
            for name, member in orjson.loads(value).items()
            if name != "ts"
            and not (name in ("id", "visitor") and re.fullmatch("[0-9a-f]{32}|[0-9a-f]{64}", str(member)))
        }
        assert not any(user in str(plain) for user in ("dupont", "4101", "8f3a2c1e")), value


def test_a_file_that_grows_goes_on_one_that_was_changed_is_refused(installation: Installation) -> None:
    path = installation.directory / "events.ndjson"
    line = b'{"visitor":"a","n":%d}\n'

    def published(*options: str) -> int:
        before = len(records(installation.settings))
        done = vigie(installation, "publish", *options, str(path))
        assert done.code == 0, done.message
        return len(records(installation.settings)) - before

    path.write_bytes(b"".join(line % n for n in range(100)))
    assert published() == 100
    assert published() == 0
    with path.open("ab") as file:
        file.write(line % 100)
    assert published() == 1
    path.write_bytes(path.read_bytes().replace(b'"n":50', b'"n":5000'))
    done = vigie(installation, "publish", str(path))
    assert done.code == 2
    assert "was changed within the 101 lines that were published" in done.message
    assert len(records(installation.settings)) == 101
    assert published("--again") == 101
    assert published() == 0
    path.write_bytes(b"".join(line % n for n in range(200, 250)) + b'{"cut off')
    done = vigie(installation, "publish", str(path))
    assert (done.code, "is another file than the one" in done.message) == (1, True), done.message
    path.write_bytes(path.read_bytes() + b'":1}\n')
    assert published() == 1, "the last line was not whole before, and is read again"


def test_a_last_line_that_was_sent_before_it_was_whole(installation: Installation) -> None:
    """Of an access log it is the same use of the same service; a bare hit may have become another person's."""
    ent = Installation(
        installation.settings,
        {
            **installation.environment,
            "VIGIE_SECRET_MONLYCEE": "0123456789abcdef",
            "VIGIE_SECRET_MBN": "0123456789abcdef",
        },
        installation.directory,
    )
    log, hits = installation.directory / "access.log", installation.directory / "hits.txt"
    log.write_text(
        f'1.2.3.4 - u [{datetime.now(UTC):%d/%b/%Y:%H:%M:%S} +0000] "GET https://ent.exemple.fr/portail HTTP/1.1" 200 51'
    )
    hits.write_text("/hit.xiti?x1=3&x3=12&at=31")
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}Z"
    for path, rest, options, status, why in (
        (log, '20 "-" "Mozilla"\n', ("--format", "combined"), 0, "was sent before it was whole, as the same event"),
        (hits, "415\n", ("--format", "xiti", "--at", at), 1, "has become another event since, which is not sent"),
    ):
        assert vigie(ent, "publish", *options, str(path)).code == 0
        with path.open("a") as file:
            file.write(rest)
        done = vigie(ent, "publish", *options, str(path))
        assert (done.code, why in done.message) == (status, True), done.message
        assert vigie(ent, "publish", *options, str(path)).code == 0
    assert len(records(installation.settings)) == 2


def test_a_run_that_was_killed_goes_on_and_counts_once(installation: Installation) -> None:
    """A missing secret ends a run in its middle: what came before is marked, and the next run sends the rest only."""
    path = installation.directory / "xiti.txt"
    path.write_text("".join(f"/hit.xiti?at={n}&x1=3&x3={12 if n < 8 else 31}\n" for n in range(1, 11)))
    options = ("publish", "--format", "xiti", "--at", f"{datetime.now(UTC):%Y-%m-%dT%H:%M}Z", str(path))
    environment = {**installation.environment, "VIGIE_SECRET_MBN": "0123456789abcdef"}
    ent = Installation(installation.settings, environment, installation.directory)
    stopped = vigie(ent, *options)
    assert stopped.code == 2
    assert "VIGIE_SECRET_MONCOLLEGE95 is not set" in stopped.message
    assert len(records(installation.settings)) == 7
    environment["VIGIE_SECRET_MONCOLLEGE95"] = "0123456789abcdef"
    done = vigie(ent, *options)
    assert "3 delivered" in done.message, done.message
    assert done.code == 0
    assert len(records(installation.settings)) == 10
    environment["VIGIE_SECRET_MBN"] = "another secret of mbn"
    with path.open("a") as file:
        file.write("/hit.xiti?at=12&x1=3&x3=12\n")
    for words in (options, (options[0], "--dry-run", *options[1:])):
        refused = vigie(ent, *words)
        assert refused.code == 2
        assert "10 of its lines were published with another VIGIE_SECRET_MBN" in refused.message, refused.message
    assert len(records(installation.settings)) == 10
    environment["VIGIE_SECRET_MBN"] = "hex:" + b"0123456789abcdef".hex()
    assert vigie(ent, *options).code == 0, "the same secret, written otherwise"
    assert len(records(installation.settings)) == 11
