"""`vigie report dnma` over Kafka's log: the same week as over the file that was published."""

import datetime

import orjson
import pytest

from tests.servers.commands import run
from tests.servers.conftest import Installation

pytestmark = pytest.mark.servers


def test_a_week_of_the_log_is_that_of_the_file(installation: Installation) -> None:
    monday = datetime.datetime(2026, 9, 7, tzinfo=datetime.UTC)
    lines = []
    for number in range(60):
        at = monday + datetime.timedelta(days=number % 5, hours=8, minutes=7 * number)
        event = {
            "v": 1, "id": f"e{number % 55}", "ts": int(at.timestamp() * 1000), "visitor": f"{number % 9:032x}", "project": "mbn",
            "uai": ("0541234Y", "0690001B")[number % 2], "service": ("NOTES", "CAHIER_TEXTES")[number % 3 == 0], "profile": "ELEVE",
        }  # fmt: skip
        lines.append(orjson.dumps(event))
    lines.append(b'{"v":1,"id":"broken"}')
    path = installation.directory / "week.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert run(installation.environment, "publish", str(path)).code == 0
    words = ("report", "dnma", "--week", "2026-W37", "--format", "native")
    of_file, of_topic = (run(installation.environment, *words, source) for source in (str(path), "kafka:"))
    assert of_topic.code == of_file.code == 1  # the broken one is told both times
    assert "1 unreadable line" in of_topic.message
    assert of_topic.stdout == of_file.stdout
    assert of_topic.stdout.count(b"\n") == 3
    refused = run(installation.environment, "report", "dnma", "--week", "2026-W37", "--format", "combined", "kafka:")
    assert (refused.code, "give --format native" in refused.message) == (2, True)
