"""The repository itself: sizes, names, links, and that files outside the code speak of things that exist."""

import ast
import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
import yaml

from streams.cli import COMMANDS
from streams.cli import cli as command_line
from streams.settings import OTHER_VARIABLES, Settings

ROOT = Path(__file__).resolve().parent.parent
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
#: "Typically under 250": at most one module in ten is longer.
MODULE_LINES_TYPICAL = 250
LONGER_SHARE_MAX = 0.10


def tracked(*suffixes: str) -> list[Path]:
    """Files that git knows, and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    found = [ROOT / name for name in done.stdout.splitlines()]
    return [path for path in found if path.is_file() and (not suffixes or path.suffix in suffixes)]


def load_script(name: str) -> ModuleType:
    """A script of `.ci/`, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- code

#: Modules that make whatever a file names, and calls that run what a text says.
RUNS_A_FILE = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "jsonpickle"}
RUNS_A_TEXT = {"eval", "exec", "compile", "__import__", "unsafe_load", "full_load", "Unpickler"}


def what_runs_a_file(source: str) -> list[str]:
    """What in a module could run what a file says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [name for name in names if name.partition(".")[0] in RUNS_A_FILE]
        elif isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            of = (
                node.func.value.id
                if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
                else ""
            )
            if (name in RUNS_A_TEXT and of != "re") or (of, name) == ("yaml", "load"):
                found.append(f"{of}.{name}")
            found += [word.arg for word in node.keywords if word.arg == "allow_pickle"]
    return found


def test_nothing_runs_what_a_file_says() -> None:
    for path in tracked(".py"):
        if path.is_relative_to(ROOT / "streams"):
            assert what_runs_a_file(path.read_text()) == [], path
            assert "pickle" not in path.read_text(), path


def test_what_runs_a_file_would_be_noticed() -> None:
    assert what_runs_a_file("import pickle") == ["pickle"]
    assert what_runs_a_file("from pickle import loads") == ["pickle"]
    assert what_runs_a_file("np.load(path, allow_pickle=True)") == ["allow_pickle"]
    assert what_runs_a_file("yaml.load(text)") == ["yaml.load"]
    assert what_runs_a_file("eval(text)") == [".eval"]
    assert what_runs_a_file("re.compile(text); yaml.safe_load(text); msgspec.json.decode(text)") == []


def test_modules_are_short() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in tracked(".py")}
    too_long = {str(path): lines for path, lines in lengths.items() if lines > MODULE_LINES_MAX}
    assert not too_long, f"split these modules (at most {MODULE_LINES_MAX} lines)"
    longer = sorted(str(path) for path, lines in lengths.items() if lines > MODULE_LINES_TYPICAL)
    assert len(longer) <= LONGER_SHARE_MAX * len(lengths), (
        f"too many modules over {MODULE_LINES_TYPICAL} lines: {longer}"
    )


def test_functions_are_short() -> None:
    too_long = []
    for path in tracked(".py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines")
    assert not too_long, f"split these functions (at most {FUNCTION_LINES_MAX} lines)"


def test_annotations_are_evaluated() -> None:
    for path in tracked(".py"):
        source = path.read_text()
        imports = [node.module for node in ast.parse(source).body if isinstance(node, ast.ImportFrom)]
        assert "__future__" not in imports or "if TYPE_CHECKING:" in source, (
            f"{path.relative_to(ROOT)}: CONTRIBUTING.md says when that import is needed"
        )


def test_tests_mirror_the_rooms() -> None:
    rooms = {path.parent.name for path in (ROOT / "streams").glob("*/__init__.py")}
    others = {"servers", "simulation", "rules", "cli", "mutation"}
    strange = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")} - rooms - others
    assert not strange, f"tests/ mirrors the rooms of streams/: {strange} is none of them"


# --- what must not be in a repository


def test_no_place_of_one_machine_and_no_registry_is_named() -> None:
    words = (
        "/work/",
        "/ro" + "ot/",
        "/home/[a-z]",
        "pypi\\.org",
        "pythonhosted",
        "repo1?\\.maven",
        "index-url\\b.*://",
    )
    pattern = re.compile("|".join(words))
    found = []
    for path in tracked():
        if path == Path(__file__) or path.suffix in (".png", ".gz"):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found


def test_no_file_is_large() -> None:
    large = {str(path.relative_to(ROOT)): path.stat().st_size for path in tracked() if path.stat().st_size > 400_000}
    assert not large, "data of this size does not belong into the repository"


# --- documents


def _documents() -> list[Path]:
    return tracked(".md")


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    broken = []
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href|srcset)="([^"]+)"', text)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name) if name else document
        if not path.exists() or (anchor and anchor not in _anchors(path.read_text())):
            broken.append(target)
    assert not broken


def test_documents_named_in_code_and_messages_exist() -> None:
    missing = set()
    for path in tracked(".py", ".sh", ".yml", ".yaml", ".md", ".xml", ".conf"):
        for name in re.findall(r"\b((?:docs|deploy|config)/[\w./-]+\.\w+)\b", path.read_text()):
            if not (ROOT / name).exists() and not _is_example(name):
                missing.add(f"{path.relative_to(ROOT)}: {name}")
    assert not missing


def _is_example(name: str) -> bool:
    return name in ("config/vigie.toml", "config/maintenances.yaml")


def test_tables_follow_the_code() -> None:
    tables = load_script("tables")
    for path in sorted((ROOT / "docs").glob("**/*.md")):
        assert tables.written(path.read_text()) == path.read_text(), f"{path.name}: run `make tables`"


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    missing = [name for name in Settings.model_fields if f"| `{name}` |" not in text]
    assert not missing
    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not undescribed, "give these settings a description in streams/settings.py"


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "operations.md").read_text() + (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"vigie {name}" not in text] == []


def test_commands_in_documents_exist() -> None:
    wrong = []
    for path in _documents():
        for name, rest in re.findall(
            r"(?:^|[`$/]|(?<!SETUSER) )vigie ([a-z]+(?:-[a-z]+)*)([^`|&;\n]*)", path.read_text(), re.MULTILINE
        ):
            if name not in COMMANDS:
                wrong.append(f"{path.name}: vigie {name}")
                continue
            known = _options(name)
            wrong += [
                f"{path.name}: vigie {name} {word}" for word in re.findall(r"--[a-z-]+", rest) if word not in known
            ]
    assert not wrong


def _options(name: str) -> set[str]:
    command = command_line.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return {option for each in (command, *inner) for parameter in each.params for option in parameter.opts} | {"--help"}


def test_make_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = {
        f"{path.name}: make {name}"
        for path in _documents()
        for name in re.findall(r"(?:`|^|\$ )make ([a-z-]+)", path.read_text(), re.MULTILINE)
        if name not in targets
    }
    assert not wrong


def test_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog\n")
    assert "keepachangelog.com" in text
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", section) for section in sections[1:])
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_decisions_are_numbered_and_have_a_status() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [path.name[:4] for path in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]
    for path in decisions:
        text = path.read_text()
        for heading in ("Status:", "## What was asked", "## What we do", "## Why", "## What it costs"):
            assert heading in text, f"{path.name} lacks {heading!r}"


# --- docker-compose.yml and the image


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def _ours(compose: Any) -> dict[str, Any]:
    return {name: service for name, service in compose["services"].items() if service["image"].startswith("vigie:")}


def test_compose_starts_the_whole_chain(compose: Any) -> None:
    servers = {"kafka", "redis", "prometheus", "alertmanager", "grafana"}
    assert set(compose["services"]) == servers | {"worker", "observer", "collector", "demo", "tokens"}
    assert compose["services"]["collector"]["profiles"] == ["collect"]
    assert compose["services"]["demo"]["profiles"] == ["demo"]
    for name, service in compose["services"].items():
        assert re.search(r":v?\d+\.\d+\.\d+(-\w+)?$", service["image"]), f"{name}: pin the version"
        once = name == "tokens"
        assert service["restart"] == ("no" if once else "unless-stopped"), name
        assert once or service["healthcheck"]["test"], name
        for other, wanted in service.get("depends_on", {}).items():
            ready = "service_completed_successfully" if other == "tokens" else "service_healthy"
            assert wanted["condition"] == ready, name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: without passwords, only this machine may connect"
        assert service["deploy"]["resources"]["limits"]["memory"], f"{name}: give it a limit"
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name not in servers or service["user"] not in ("root", "0"), f"{name}: no root"
        assert not any("PASSWORD" in key for key in service.get("environment", {})), f"{name}: no password in this file"


def test_compose_names_commands_and_settings_that_exist(compose: Any) -> None:
    known = {f"VIGIE_{name.upper()}" for name in Settings.model_fields} | set(OTHER_VARIABLES)
    for name, service in _ours(compose).items():
        assert service["command"][0] in COMMANDS, name
        environment = service["environment"]
        assert set(environment) <= known, name
        given: dict[str, Any] = {key: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for key, value in environment.items()}
        Settings(**{key.removeprefix("VIGIE_").lower(): value for key, value in given.items()})
        known_options = _options(service["command"][0])
        assert {word for word in service["command"] if word.startswith("--")} <= known_options, name


def test_observer_in_a_container_keeps_an_archive_it_may_write(compose: Any) -> None:
    observer, image = compose["services"]["observer"], (ROOT / "Dockerfile").read_text()
    directory = observer["environment"]["VIGIE_ARCHIVE_DIR"]
    assert f"archive:{directory}" in observer["volumes"]
    assert re.search(rf"install -d -o vigie {directory}\b", image)
    # `history` has pyarrow, without which nothing is kept; `engine` what worker, observer and collector run on. `lab` is both.
    assert "'vigie[lab]'" in image


def test_compose_and_local_stack_use_the_same_ports(compose: Any) -> None:
    published = {
        int(p.split(":")[1]): int(p.split(":")[2]) for s in compose["services"].values() for p in s.get("ports", [])
    }
    fields = Settings.model_fields
    addresses = ("kafka_bootstrap_servers", "redis_url", "prometheus_url", "alertmanager_url")
    ports = {int(re.findall(r":(\d+)", str(fields[name].default))[-1]) for name in addresses}
    grafana = 13000  # the local stack has none
    assert set(published) == ports | {fields["observer_port"].default, fields["collector_port"].default, grafana}
    worker = compose["services"]["worker"]
    assert f":{fields['worker_port'].default}/readyz" in " ".join(worker["healthcheck"]["test"])


def test_compose_mounts_files_that_exist(compose: Any) -> None:
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in compose["volumes"] or (ROOT / source).exists(), mount


def test_containers_scrape_what_the_local_stack_scrapes() -> None:
    here, inside = (
        yaml.safe_load((ROOT / "deploy" / "prometheus" / name).read_text())
        for name in ("prometheus.yml", "compose.yml")
    )
    assert [job["job_name"] for job in here["scrape_configs"]] == [job["job_name"] for job in inside["scrape_configs"]]
    for section in ("global", "storage", "rule_files"):
        assert here[section] == inside[section]


def test_kafka_is_of_one_version(compose: Any) -> None:
    jars = set(
        re.findall(
            r"<groupId>org.apache.kafka</groupId>\s*<artifactId>[^<]*</artifactId>\s*<version>([^<]+)<",
            (ROOT / "deploy/kafka/pom.xml").read_text(),
        )
    )
    assert {compose["services"]["kafka"]["image"].partition(":")[2]} == jars


def test_image_runs_as_nobody_from_the_locked_requirements() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER \d+$", text, re.MULTILINE)
    assert "--require-hashes" in text
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text()
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
        assert f"!{name}\n" in ignored, f".dockerignore leaves {name} out"


def test_prose_of_documents_wraps_at_100() -> None:
    wide = []
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")]:
        if path.parent.name == "reference":  # written from code
            continue
        text = re.sub(
            r"(?ms)^ *```.*?^ *```|<!-- table.*?<!-- end", lambda part: "\n" * part[0].count("\n"), path.read_text()
        )
        for number, line in enumerate(text.split("\n"), 1):
            longer = len(line) > 100 and not line.lstrip().startswith(("|", "<", "#", "!["))
            if longer and " " in line:  # one long word is left
                wide.append(f"{path.name}:{number}")
    assert not wide, "wrap these lines at 100 characters"


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") < 120
