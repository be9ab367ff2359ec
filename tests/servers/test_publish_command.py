"""`vigie publish` with a real Kafka."""

import gzip
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from streams.settings import Settings
from tests.servers.commands import Ended, run
from tests.servers.conftest import Installation
from tests.servers.test_publish import records

pytestmark = [
    pytest.mark.servers,
    # kafka-python leaves the socket of a refused connection to the garbage collector.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]


def vigie(installation: Installation, *words: str, given: bytes | None = None) -> Ended:
    return run(installation.environment, *words, given=given)


def test_every_object_is_sent_as_it_is_and_every_line_accounted_for(installation: Installation) -> None:
    sent = [
        b'{"visitor":"a","x": 1 }',
        b' {"visitor":7}',
        b"{}",
        b'{"v":99}',
        b'{"big":"%s"}' % (b"z" * 5000),
        b'{"end":1}',
    ]
    refused = {3: b"[1]", 8: b"nope", 9: b'{"a":"\xff"}'}
    lines = [
        b"\xef\xbb\xbf" + sent[0] + b"\r",
        b"",
        refused[3],
        sent[1],
        sent[2],
        b"  ",
        sent[3],
        refused[8],
        refused[9],
    ]
    lines += [sent[4], b'{"huge":"%s"}' % (b"z" * 2_000_000), sent[5]]  # the last one without a newline
    path = installation.directory / "events.ndjson"
    path.write_bytes(b"\n".join(lines))
    done = vigie(installation, "publish", str(path))
    text = done.message
    assert done.code == 1, text
    assert done.stdout == b""
    assert "12 lines read: 6 delivered" in text
    assert "2 skipped, 4 unreadable, 0 undelivered" in text
    for line, why in ((3, "an array"), (8, "not JSON"), (9, "not UTF-8"), (11, "more than Kafka takes")):
        assert f"line {line}: " in text
        assert why in text
    arrived = records(installation.settings)
    assert sorted(value for _, _, value in arrived) == sorted(sent)
    assert sorted(key for _, key, _ in arrived if key) == [b"a"]
    path.write_bytes(path.read_bytes().replace(b"nope", b'{"mended":1}'))
    again = vigie(installation, "publish", str(path))
    text = again.message
    assert again.code == 1, "what was not delivered in an earlier run still is not"
    assert "12 lines were dealt with before" in text
    assert "6 delivered, 2 skipped, 4 not delivered, which are tried again" in text
    assert "4 lines read: 1 delivered" in text
    assert "3 unreadable" in text
    rehearsed = vigie(installation, "publish", "--dry-run", str(path))
    assert (rehearsed.code, rehearsed.stdout.splitlines()[0]) == (1, b"sent 0, skipped 0, unreadable 3")
    assert len(records(installation.settings)) == len(sent) + 1


def test_standard_input_and_gz(installation: Installation) -> None:
    events = b"".join(b'{"visitor":"%d"}\n' % number for number in range(5000))
    piped = vigie(installation, "publish", given=events)
    assert (piped.code, "5,000 delivered" in piped.message) == (0, True), piped.message
    path = installation.directory / "events.ndjson.gz"
    path.write_bytes(gzip.compress(events, mtime=0))
    assert vigie(installation, "publish", str(path)).code == 0
    again = vigie(installation, "publish", str(path))
    assert (again.code, "5,000 lines were dealt with before" in again.message) == (0, True), again.message
    values = Counter(value for _, _, value in records(installation.settings))
    assert len(values) == 5000
    assert set(values.values()) == {2}


def test_damaged_gzip_says_what_was_sent_and_what_to_do(installation: Installation) -> None:
    lines = [b'{"visitor":"%s"}\n' % hashlib.sha256(b"%d" % number).hexdigest().encode() for number in range(5000)]
    packed = gzip.compress(b"".join(lines), mtime=0)
    flipped = packed[:150_000] + bytes(100) + packed[150_100:]
    path = installation.directory / "events.ndjson.gz"
    for content, status, why in (
        (b"", 2, "is empty, which no compressed file is: it was cut off"),
        (flipped, 2, "the same command again cannot help. Get the file again"),
        (packed[: len(packed) // 2], 1, "it was cut off or is still being written. Get the whole file"),
    ):
        path.write_bytes(content)
        done = vigie(installation, "publish", str(path))
        text = done.message
        assert (done.code, why in text) == (status, True), text
        arrived = len(records(installation.settings))
        assert (arrived > 0) == (status == 1), "what is in doubt is not sent at all"
    assert f"{arrived:,} events were sent before that" in text
    path.write_bytes(packed)
    assert vigie(installation, "publish", str(path)).code == 0
    assert sorted(value for _, _, value in records(installation.settings)) == sorted(line[:-1] for line in lines)


def test_pipes_get_no_mark(installation: Installation) -> None:
    fifo = installation.directory / "pipe"
    os.mkfifo(fifo)
    command = f"(printf '{{}}\\n' > '{fifo}') & exec '{sys.executable}' -m streams publish '{fifo}'"
    shell = ["bash", "-c", command]
    done = subprocess.run(shell, env=installation.environment, capture_output=True, timeout=120, check=False)
    assert (done.returncode, b"1 delivered" in done.stderr) == (0, True), done.stderr
    command = f"exec '{sys.executable}' -m streams publish <(printf '{{}}\\n')"
    shell = ["bash", "-c", command]
    done = subprocess.run(shell, env=installation.environment, capture_output=True, timeout=120, check=False)
    assert (done.returncode, b"1 delivered" in done.stderr) == (0, True), done.stderr
    assert [path.name for path in installation.directory.iterdir() if "mark" in path.name] == []


def test_ctrl_c_says_up_to_which_line(installation: Installation) -> None:
    command = [sys.executable, "-m", "streams", "publish", "-"]
    with subprocess.Popen(
        command, env=installation.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(b'{"visitor":"a"}\n' * 3)
        running.stdin.flush()
        _await_records(installation.settings, 3)
        running.send_signal(signal.SIGINT)
        text = running.stderr.read().decode()
        assert running.wait(30) == 1
    assert "stopped after line 3 (interrupted). Up to line 3 all is delivered" in text


def _await_records(settings: Settings, number: int) -> None:
    for _ in range(60):
        if len(records(settings)) >= number:
            return
        time.sleep(0.25)
    raise AssertionError(f"{number} records did not arrive")


def test_what_cannot_begin_says_why(installation: Installation) -> None:
    environment = {**installation.environment, "VIGIE_TOPIC": "no.such.topic"}
    for wrong, arguments, code, why in (
        (installation, ("publish", "/no/such/file"), 2, "There is no file"),
        (Installation(installation.settings, environment, installation.directory), ("publish",), 3, "no topic"),
    ):
        done = vigie(wrong, *arguments, given=b"{}\n")
        assert done.code == code
        assert why in done.message
