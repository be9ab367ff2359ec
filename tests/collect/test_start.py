"""A collector that must not start says what to set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "tokens_file is not set"),
        ({"tokens_file": "/nowhere/tokens.json"}, "vigie token new"),
        ({"tokens_file": "t", "collector_host": "0.0.0.0"}, "tls_by_proxy"),
        ({"tokens_file": "t", "tls_certfile": "/dev/null", "tls_keyfile": "/dev/null"}, "no such file"),
    ],
)
def test_a_collector_that_must_not_start_says_what_to_set(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    own = {f"VIGIE_{name.upper()}": value for name, value in settings.items()}
    argv = [sys.executable, "-m", "streams", "collect"]
    environment = (
        inherited | own | {"VIGIE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "VIGIE_STACK_FILE": str(tmp_path / "none")}
    )
    if settings.get("tokens_file") == "t":
        environment["VIGIE_TOKENS_FILE"] = str(tmp_path / "tokens.json")
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
