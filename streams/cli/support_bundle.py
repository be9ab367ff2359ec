"""`vigie support-bundle`: everything a maintainer asks for first, in one file, without personal data or secrets."""

import hashlib
import importlib.metadata
import io
import os
import platform
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic import SecretStr

from streams import __version__
from streams.addresses import host_port
from streams.catalog import load_catalog
from streams.cli.shared import NEW_FILE
from streams.edges import kafka_address, topic_designs
from streams.errors import InputError, VigieError
from streams.expose.probes import installation, open_reader, read_status
from streams.local.ports import reached
from streams.settings import Settings, load_settings
from streams.stack_record import read_stack
from streams.topics import admin_client, describe_topic

#: Settings that may hold a token or name a person, beside the secrets: only whether they are set is told.
PRIVATE = frozenset({"alert_email_to", "alert_webhook_url", "kafka_sasl_username"})
#: Of one process's /metrics.
BYTES_MAX = 8 << 20
SECONDS_MAX = 3.0
#: Slots of this machine that are asked for their metrics.
SLOTS = 8


@click.command("support-bundle")
@click.option(
    "--out",
    type=NEW_FILE,
    help="File to write.  [default: vigie-support-TIME.tar.gz]",
)
def support_bundle(out: Path | None) -> None:
    """Write one file for whoever is to help: versions, settings, lists' checksums, the state of chain, Redis and topics, metrics.

    No password, token, address of a person, event, visitor or value that somebody sent is in it. What cannot be had now is told in its
    place. Look through it before you send it: every part is text.
    """
    path = out or Path(f"vigie-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    if path.exists():
        raise InputError(f"{path} is there already: name another file with --out")
    with tarfile.open(path, "x:gz") as bundle:
        for name, held in _parts():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(held), int(time.time()), 0o600
            bundle.addfile(entry, io.BytesIO(held))
            click.echo(f"{name:24} {len(held):>9,} bytes")
    path.chmod(0o600)
    click.echo(f"{path}: look through it, then send it")


def _parts() -> Iterator[tuple[str, bytes]]:
    yield "about.json", _json(_about())
    try:
        settings = load_settings()
    except VigieError as error:
        yield "settings.txt", str(error).encode()
        return
    for name, told in (
        ("settings", settings_told),
        ("lists", _lists),
        ("status", _status),
        ("redis", _redis),
        ("topics", _topics),
    ):
        yield f"{name}.json", _json(_had(told, settings))
    yield "observer.metrics", _metrics(settings.observer_host, settings.observer_port)
    for slot in range(SLOTS):
        if (said := _metrics(settings.worker_host, settings.worker_port + slot)) and not said.startswith(b"not "):
            yield f"worker-{slot}.metrics", said


def settings_told(settings: Settings) -> dict[str, Any]:
    """Every setting; of secrets, and of what may name a person, only whether they are set."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    for name, value in values.items():
        if value is not None and (isinstance(value, SecretStr) or name in PRIVATE):
            values[name] = "set"
    return {"given": sorted(settings.model_fields_set), "values": values}


def _about() -> dict[str, Any]:
    return {
        "vigie": __version__,
        "written": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "packages": dict(sorted((one.name, one.version) for one in importlib.metadata.distributions())),
    }


def _lists(settings: Settings) -> Any:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(settings.config_dir.glob("*.yaml"))
    }


def _status(settings: Settings) -> Any:
    with closing(open_reader(settings)) as reader:
        return read_status(
            installation(settings, load_catalog(settings.config_dir)),
            reader,
            lambda _settled_ms: None,
            kafka_address(settings).bootstrap_servers,
            read_stack(),
        )


def _redis(settings: Settings) -> Any:
    with closing(open_reader(settings)) as reader:
        return asdict(reader.facts()) | {"minutes_held": len(reader.held())}


def _topics(settings: Settings) -> Any:
    with admin_client(kafka_address(settings)) as client:
        return {design.name: describe_topic(client, design.name) for design in topic_designs(settings)}


def _metrics(host: str, port: int) -> bytes:
    place = host_port(reached(host), port)
    try:
        with urllib.request.urlopen(f"http://{place}/metrics", timeout=SECONDS_MAX) as answer:
            return bytes(answer.read(BYTES_MAX))
    except OSError as error:
        return f"not to be had at {place}: {error}".encode()


def _had(part: Callable[[Settings], Any], settings: Settings) -> Any:
    try:
        return part(settings)
    except VigieError as error:
        return {"not to be had": str(error)}


def _json(value: Any) -> bytes:
    return orjson.dumps(
        value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    )
