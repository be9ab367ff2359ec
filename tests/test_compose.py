"""docker-compose.yml beyond its schema: what its parts may reach, and what they cost."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = FILE["services"]


def mib(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(m|mb|g|gb)", text).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit.startswith("g") else 1)


def test_who_watches_reaches_neither_kafka_nor_redis() -> None:
    of = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert set(FILE["networks"]) == {"chain", "watch"}
    for name in ("prometheus", "alertmanager", "grafana"):
        assert not of[name] & (of["kafka"] | of["redis"])
        assert of[name] & of["observer"]
    for name in ("worker", "observer", "demo"):
        assert of[name] & of["kafka"]


def test_no_health_check_starts_a_jvm() -> None:
    checks = [service["healthcheck"]["test"] for service in SERVICES.values() if "healthcheck" in service]
    assert len(checks) >= 5
    assert not any(word.endswith(".sh") or "java" in word for check in checks for word in check)


def test_redis_is_full_before_its_container_is() -> None:
    command = SERVICES["redis"]["command"]
    bound = mib(command[command.index("--maxmemory") + 1])
    assert bound * 1.5 <= mib(SERVICES["redis"]["deploy"]["resources"]["limits"]["memory"])  # rewriting its file forks
