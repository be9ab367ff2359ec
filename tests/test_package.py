"""What an ENT installs and imports is small; its public names are a closed list; every error is in one tree."""

import ast
import math
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import streams.errors
import streams.publish
from tests.test_repository import load_script

ROOT = Path(__file__).resolve().parent.parent
#: CPU time of the import; on a slow machine no more than that of some of Python's own modules, which takes about as long.
IMPORT_MS_MAX = 120
STANDARD_MODULES = "asyncio, unittest.mock, http.client, xml.dom.minidom, sqlite3, multiprocessing.pool, concurrent.futures, logging.config"
POSITIONAL_MAX = 5
#: None of them is loaded by `import streams.publish`: they are another extra's, or loaded when a connection is made.
NOT_LOADED = {
    "aiokafka",
    "click",
    "faust",
    "fastapi",
    "kafka",
    "numpy",
    "pydantic",
    "redis",
    "rich",
    "urllib3",
    "uvicorn",
    "yaml",
}


def test_every_file_names_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    compose = re.findall(r"vigie:([\d.]+)$", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE)
    kustomization = yaml.safe_load((ROOT / "deploy/kubernetes/base/kustomization.yaml").read_text())
    tags = [image["newTag"] for image in kustomization["images"] if image["name"] == "vigie"]
    released = re.findall(r"^## \[(\d[^]]*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert compose
    assert tags
    image = re.findall(r'org.opencontainers.image.version="([^"]+)"', (ROOT / "Dockerfile").read_text())
    assert len(image) == 1, "the image says which version it is"
    assert {project, *compose, *tags, *image, released[0]} == {streams.__version__}


def test_the_names_of_the_sdk_are_a_closed_list() -> None:
    assert streams.publish.__all__ == [
        "BufferFull",
        "Deliveries",
        "NotDelivered",
        "PublisherHealth",
        "PublisherLimits",
        "Undelivered",
        "VisitPublisher",
        "new_event_id",
        "pseudonym",
    ]
    assert all(hasattr(streams.publish, name) for name in streams.publish.__all__)
    assert (Path(streams.__file__).parent / "py.typed").exists()


def _import_ms(names: str) -> tuple[float, set[str]]:
    """CPU milliseconds of an import in a new process, and the packages that are loaded then."""
    script = (
        f"import sys, time\nbegan = time.process_time()\nimport {names}\n"
        "print((time.process_time() - began) * 1000)\nprint(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    took, loaded = done.stdout.splitlines()
    return float(took), set(loaded.split())


@pytest.mark.alone
def test_importing_the_sdk_is_quick_and_loads_nothing_heavy() -> None:
    ours: list[float] = []
    usual: list[float] = []
    while len(ours) < 20 and min(ours, default=math.inf) >= max(IMPORT_MS_MAX, min(usual, default=0.0)):
        took, loaded = _import_ms("streams.publish")
        assert not NOT_LOADED & loaded
        ours.append(took)
        usual.append(_import_ms(STANDARD_MODULES)[0])
    assert min(ours) < max(IMPORT_MS_MAX, min(usual)), "slower than the standard library's, on this machine"


def test_every_error_is_drawn_in_one_tree() -> None:
    parents: dict[str, str] = {}
    for path in (ROOT / "streams").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and len(node.bases) == 1:
                parents[node.name] = ast.unparse(node.bases[0])

    def is_ours(name: str) -> bool:
        return name == "VigieError" or (name in parents and is_ours(parents[name]))

    drawn = set(re.findall(r"^ +[|+ -]*([A-Z]\w+) ", streams.errors.__doc__ or "", re.MULTILINE))
    assert drawn == {name for name in parents if is_ours(name)}


def _trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted((ROOT / "streams").rglob("*.py"))]


def test_no_public_class_name_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_file_name_has_two_meanings() -> None:
    """A command of `cli/` may be named like the one file that does its work; every other name stands once."""
    places: dict[str, list[str]] = {}
    for path in (ROOT / "streams").rglob("*.py"):
        if not path.name.startswith("__") and path.parent.name != "cli":
            places.setdefault(path.name, []).append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_only_the_detector_judges() -> None:
    """Events are validated, lines and gaps classified: to judge is to hold a minute against what was expected of it."""
    functions = {
        f"{path.relative_to(ROOT)}::{node.name}"
        for path, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and re.match("_*judge", node.name)
    }
    detector = (
        "streams/watch/",
        "streams/observe/",
        "streams/expose/",
        "streams/rehearse/",
        "streams/live/alert_store.py",
    )
    assert {name for name in functions if not name.startswith(detector)} == set()


def test_what_is_named_a_reader_writes_nothing() -> None:
    """Classes of `live/` that are named readers use no command of Redis that writes, and no script."""
    writes = {
        "set",
        "hset",
        "hdel",
        "delete",
        "zadd",
        "zrem",
        "sadd",
        "pfadd",
        "pfmerge",
        "expire",
        "register_script",
        "eval",
    }
    found = {
        f"{node.name}.{call.func.attr}"
        for path, tree in _trees()
        if path.parent.name == "live"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name.endswith("Reader")
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in writes
    }
    assert found == set()


def test_no_function_takes_more_than_five_positional_parameters() -> None:
    long = []
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [one.arg for one in node.args.posonlyargs + node.args.args]
                if len(names) - (names[:1] in (["self"], ["cls"])) > POSITIONAL_MAX:
                    long.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not long, "give them a value, or names: `*`"


def test_the_list_of_what_is_brought_along_has_what_runs_and_no_tool() -> None:
    names = load_script("sbom").what_runs("vigie", frozenset({"lab"}), set())
    assert {"faust-streaming", "aiokafka", "redis", "hiredis", "pyarrow", "kafka-python", "uvicorn"} <= names
    assert not {"pytest", "ruff", "mypy", "mkdocs", "playwright"} & names
