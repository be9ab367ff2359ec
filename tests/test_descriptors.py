"""What a person is told where this process has no descriptor free: the servers are not at fault, and nobody is to start them."""

import subprocess
import sys
from pathlib import Path

import pytest

#: A process that asks a server while a limit leaves it no descriptor: what is imported lazily was imported by a first call.
ASKS = """
import os, resource, sys
from streams.broker import KafkaAddress
from streams.errors import VigieError
from streams.live import LiveReader
from streams.live.connection import RedisAddress
from streams import topics

topics.BOOTSTRAP_SECONDS_MAX = 1.0

def said(ask):
    try:
        ask()
    except VigieError as error:
        return str(error)

asked = {
    "redis": lambda: LiveReader(RedisAddress("redis://127.0.0.1:9/0"), "x").snapshot(),
    "kafka": lambda: topics.admin_client(KafkaAddress(("127.0.0.1:9",))).__enter__(),
}[sys.argv[1]]
assert "start it (`vigie up`" in said(asked), "nobody listens there"
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", 0))
except OSError:
    pass
print(said(asked))
"""


@pytest.mark.parametrize("server", ["redis", "kafka"])
def test_a_process_without_descriptors_is_told_so(server: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKS, server],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "this process has no descriptor free: raise its limit (`ulimit -n`" in done.stdout
    assert "vigie up" not in done.stdout
