"""The file by which every command finds the running stack (its reader is `streams.stack_record.read_stack`)."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import SecretStr

from streams.local.supervisor import ProcessStatus
from streams.settings import Settings
from streams.stack_record import process_start_ticks


@dataclass(frozen=True, slots=True)
class StackRecord:
    """Writes the record: whole or not at all, at every change; `remove` at a clean stop."""

    path: Path
    data_dir: Path
    settings: dict[str, Any]
    started_at: float

    def write(self, processes: Sequence[ProcessStatus]) -> None:
        """Replace the file."""
        pid = os.getpid()
        document = {
            "pid": pid,
            "start_ticks": process_start_ticks(pid),
            "started_at": self.started_at,
            "written_at": time.time(),
            "data_dir": str(self.data_dir),
            "settings": self.settings,
            "processes": [asdict(status) for status in processes],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.{pid}")
        fresh.touch(mode=0o600)  # it names servers, and where their data are
        fresh.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        fresh.replace(self.path)

    def remove(self) -> None:
        """Say that no stack runs."""
        self.path.unlink(missing_ok=True)


def recorded_settings(settings: Settings) -> dict[str, Any]:
    """The settings that differ from the defaults, as JSON values; secrets are left out."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    found = {}
    for name, default in defaults.items():
        value = getattr(settings, name)
        if value != default and not isinstance(value, SecretStr):
            found[name] = str(value) if isinstance(value, Path) else value
    return found


def as_environment(settings: Settings) -> dict[str, str]:
    """The same settings for child processes, as variables; where their servers are, always."""
    servers = {"kafka_bootstrap_servers": settings.kafka_bootstrap_servers, "redis_url": settings.redis_url}
    return {f"VIGIE_{name.upper()}": str(value) for name, value in {**servers, **recorded_settings(settings)}.items()}
