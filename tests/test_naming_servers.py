"""A `TimeoutError` is an `OSError`, whoever raises it: each server's errors are caught around the calls of that server alone."""

import ast
from pathlib import Path

import pytest

from streams.audit import log as audit_log
from streams.broker import KafkaAddress
from streams.errors import KafkaUnavailable, RedisUnavailable
from streams.live.connection import RedisAddress, asking_redis

STREAMS = Path(audit_log.__file__).parents[1]
KAFKA = KafkaAddress(("kafka:9092",))


def test_each_server_is_named_whatever_the_error_is_called() -> None:
    for error in (TimeoutError(), ConnectionRefusedError(111, "Connection refused")):
        with pytest.raises(KafkaUnavailable, match=r"^Kafka at kafka:9092 does not answer"), KAFKA.asking():
            raise error
        with (
            pytest.raises(RedisUnavailable, match=r"^Redis at redis://r:1 does not answer"),
            asking_redis(RedisAddress("redis://r:1")),
        ):
            raise error


def test_what_one_server_is_said_to_be_is_not_said_of_another() -> None:
    with pytest.raises(RedisUnavailable, match=r"^Redis at"), KAFKA.asking(), asking_redis(RedisAddress("redis://r:1")):
        raise TimeoutError


def test_no_block_that_lends_a_client_out_takes_the_errors_of_the_system_for_its_own() -> None:
    """A generator that yields a client within `except OSError` names its server for a full disk, a closed pipe, another server."""
    found = []
    for path in sorted(STREAMS.rglob("*.py")):
        tree = ast.parse(path.read_text())
        if not _speaks_to_a_server(tree):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Try) and any(
                isinstance(n, ast.Yield) for each in node.body for n in ast.walk(each)
            ):
                caught = " ".join(ast.unparse(handler.type) for handler in node.handlers if handler.type)
                if any(name in caught for name in ("OSError", "TimeoutError")):
                    found.append(f"{path.relative_to(STREAMS)}:{node.lineno}")
    # Kafka's clients are made within it, and nothing else happens.
    assert [each.partition(":")[0] for each in found] == ["connecting.py"]


def _speaks_to_a_server(tree: ast.AST) -> bool:
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    return any(
        module.split(".")[0] in ("kafka", "aiokafka", "redis", "urllib")
        or module.startswith(("streams.live", "streams.broker"))
        for module in modules
    )
