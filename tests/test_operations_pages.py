"""Commands of docs/operations/ that need no server, run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli import cli

PAGES = Path(__file__).parent.parent / "docs" / "operations"


def token_commands() -> list[str]:
    """The commands that make, list and revoke tokens, in their order."""
    blocks = [
        block
        for page in ("install.md", "secure.md")
        for block in re.findall(r"^```sh\n(.*?)^```", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)
    ]
    lines = [
        part.strip() for block in blocks for line in block.splitlines() for part in line.partition(" #")[0].split("&&")
    ]
    return [line for line in lines if line.startswith("vigie token ")]


def test_tokens_are_made_as_the_pages_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_TOKENS_FILE", str(tmp_path / "tokens.json"))
    monkeypatch.chdir(tmp_path)
    commands = token_commands()
    assert len(commands) > 8, commands
    run = CliRunner()
    last = ""
    for number, command in enumerate(commands):
        told = command.replace("/etc/vigie/", f"{tmp_path}/{number}-").replace(" ID", f" {last}")
        done = run.invoke(cli, shlex.split(told)[1:])
        assert done.exit_code == 0, f"{command}: {done.output} {done.exception}"
        if found := re.search(r"\b([0-9a-f]{10})\b", done.output):
            last = found[1]
