"""Commands of docs/operations/ that need no server, run as they stand there."""

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


#: Which test runs a command of a page, by how the command begins.
RUN_BY = {
    ("back-up.md", ""): "servers/test_back_up.py",
    ("recover.md", ""): "servers/test_back_up.py",
    ("size.md", "vigie check"): "servers/test_back_up.py",
    ("upgrade.md", "export VIGIE_"): "servers/test_upgrade.py",
    ("upgrade.md", "vigie upgrade "): "servers/test_upgrade.py",
    ("upgrade.md", "vigie worker "): "servers/test_upgrade.py",
    ("watch.md", "vigie alerts ack "): "servers/test_alerts_command.py",
    ("watch.md", "vigie alerts"): "servers/test_back_up.py",
    ("watch.md", "vigie rejects show "): "servers/test_rejects.py",
    ("watch.md", "vigie rejects "): "servers/test_back_up.py",
    ("watch.md", "vigie unseen"): "servers/test_back_up.py",
    ("watch.md", "vigie up "): "servers/test_stack.py",
    ("secure.md", "$acls "): "servers/test_oauth_broker.py",
    ("secure.md", "acls="): "servers/test_oauth_broker.py",
    ("secure.md", "vigie token "): "test_operations_pages.py",
    ("secure.md", "export VIGIE_TOKENS_FILE"): "test_operations_pages.py",
    ("install.md", "vigie token "): "test_operations_pages.py",
    ("install.md", "export VIGIE_TOKENS_FILE"): "test_operations_pages.py",
    ("install.md", "python3 -m venv "): "servers/test_wheel.py",
}
#: What nobody runs, and why.
NOT_RUN = {
    ("install.md", "kubectl "): "needs a cluster; tests/test_kubernetes.py renders and holds the same folder",
    ("install.md", "systemctl "): "needs systemd as the first process; tests/test_systemd.py holds the units",
    ("install.md", "python -m pip install --dry-run "): "asks a registry for every locked package",
    ("secure.md", "kubectl "): "needs a cluster",
    ("secure.md", "docker compose "): "needs a registry of images",
}


def test_each_command_is_run_by_a_test_or_says_why_not() -> None:
    used = set()
    for page in sorted(PAGES.glob("*.md")):
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)
        commands = [line.strip() for block in blocks for line in block.splitlines()]
        for command in commands:
            if command.startswith("#"):
                continue
            begins = [
                (name, start) for name, start in RUN_BY | NOT_RUN if page.name == name and command.startswith(start)
            ]
            assert begins, f"{page.name}: nobody runs {command!r}: have a test run it"
            used.add(max(begins, key=lambda each: len(each[1])))
    assert used == RUN_BY.keys() | NOT_RUN.keys()
    for test in RUN_BY.values():
        assert (Path(__file__).parent / test).is_file(), test
