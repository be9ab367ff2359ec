"""Who may import what: the rules of pyproject.toml hold, and would notice."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


def test_every_room_keeps_to_the_rules() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("count/counter.py", "import time"),
        ("count/counter.py", "from streams.live import LiveReader"),
        ("expose/minutes_query.py", "import redis"),
        ("observe/loop.py", "from streams.settings import load_settings"),
        ("audit/plain.py", "from streams.count import Delta"),
        ("publish/publisher.py", "from streams.catalog import Catalog"),
        ("ingest/ledger.py", "from streams.local import Process"),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str, line: str) -> None:
    shutil.copytree(ROOT / "streams", tmp_path / "streams", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    changed = tmp_path / "streams" / module
    changed.write_text(changed.read_text() + line + "\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, f"{line!r} in {module} passed:\n{done.stdout}"
    assert "BROKEN" in done.stdout


def test_every_room_is_in_a_rule() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    protected = {name for contract in contracts for name in contract.get("protected_modules", [])}
    rooms = {f"streams.{path.parent.name}" for path in (ROOT / "streams").glob("*/__init__.py")}
    assert rooms - protected == set(), "a room that anybody may import: add it to [tool.importlinter] in pyproject.toml"


#: Who starts a thread that serves requests: it goes round by itself.
SERVES = {"ingest/health.py"}


def test_what_a_thread_does_again_and_again_is_a_background_loop() -> None:
    """`threading.Thread` (and `Timer`, but for a process that ends) is named by the one loop, and by what serves."""
    for path in (ROOT / "streams").rglob("*.py"):
        name = path.relative_to(ROOT / "streams").as_posix()
        if name != "background.py" and name not in SERVES:
            assert "threading.Thread(" not in path.read_text(), f"{name}: use streams.background.BackgroundLoop"


def test_the_walks_name_what_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    walks = text[text.index("## Three walks") : text.index("## Settled minutes")]
    named = re.findall(r"^\| \d+ \| `([a-z_/]+\.py)` `(\w+)`", walks, re.MULTILINE)
    assert len(named) > 20
    for path, name in named:
        source = (ROOT / "streams" / path).read_text()
        assert re.search(rf"^\s*(?:async )?(?:def {name}\(|{name} = )", source, re.MULTILINE), (path, name)


def test_modules_that_documents_name_exist() -> None:
    modules = [
        f"/{path.relative_to(ROOT).as_posix()}"
        for room in ("streams", "tests", "bench")
        for path in (ROOT / room).rglob("*.py")
    ]
    missing = [
        f"{document.relative_to(ROOT)}: {name}"
        for document in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
        if document.name != "CHANGELOG.md"
        for name in re.findall(r"`([\w/]+\.py)\b", document.read_text())
        if not any(module.endswith(f"/{name}") for module in modules)
    ]
    assert not missing
