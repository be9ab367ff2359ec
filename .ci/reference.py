"""Writes docs/reference/: every command with its options, every route of an observer. `--check` only says whether they are current."""

import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from streams.cli import cli  # noqa: E402
from streams.expose.http_app import create_app  # noqa: E402

FOLDER = ROOT / "docs" / "reference"


def _commands_of(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands_of(command, f"{path} {name}")


def commands() -> str:
    """The help of every command, as the terminal shows it in 86 columns."""
    parts = ["# Commands\n\nWhat `--help` says. Exit codes are in [operations](../operations.md#commands).\n"]
    for path, command in _commands_of(cli, "vigie"):
        context = click.Context(command, info_name=path, terminal_width=86, max_content_width=86)
        parts.append(f"\n## {path}\n\n```text\n{command.get_help(context)}\n```\n")
    return "".join(parts)


def api() -> str:
    """Every route of an observer, from its OpenAPI description; the parts that answer are not needed for that."""
    described = create_app(MagicMock()).openapi()
    parts = [
        "# HTTP API\n\nThe routes of an observer. `/openapi.json` of a running one describes their answers in full; names are\n"
        "explained in [names in JSON](../json.md). The collector's own route is in `docs/contract/openapi.json`.\n"
    ]
    for path, methods in sorted(described["paths"].items()):
        for method, operation in methods.items():
            parts.append(f"\n## {method.upper()} {path}\n\n{operation.get('description') or operation['summary']}\n")
            if rows := operation.get("parameters"):
                parts.append("\n| parameter | type | what it is |\n| --- | --- | --- |\n")
                for one in rows:
                    kind = one["schema"].get("type") or " or ".join(
                        kind["type"] for kind in one["schema"].get("anyOf", ()) if kind.get("type", "null") != "null"
                    )
                    said = (one.get("description") or "").replace("|", "\\|")
                    parts.append(f"| `{one['name']}` | {kind} | {said} |\n")
    return "".join(parts)


def written() -> dict[str, str]:
    """File name -> its text, made anew."""
    return {"commands.md": commands(), "api.md": api()}


def main() -> int:
    """Write, or say what is not current."""
    stale = [
        name for name, text in written().items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]
    if "--check" in sys.argv:
        if stale:
            print(f"docs/reference: not current: {', '.join(stale)}; write it with `make tables`")  # noqa: T201
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(written()[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
