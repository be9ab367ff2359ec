"""`vigie token`: who may send events to the collector."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from streams.access.tokens import TokenFile, has_expired, make_token
from streams.catalog import load_catalog
from streams.errors import InputError, SettingsError
from streams.settings import Settings, load_settings


@click.group()
def token() -> None:
    """Make, list and revoke tokens, in the file that the setting tokens_file names; only their hashes are kept.

    Collectors see every change at once. To rotate a token, make another for the same project, give it to the ENT, and revoke the old one
    when `list` and the ENT say that nobody uses it: both are valid meanwhile.
    """


@token.command()
@click.option(
    "--project", "projects", multiple=True, required=True, help="Code of a project it speaks for; several times."
)
@click.option("--name", default="", help="Whose it is, to be found again in the list.")
@click.option("--days", type=click.IntRange(1, 3660), help="How long it is valid; left out, until it is revoked.")
@click.option(
    "--events-per-second", type=click.IntRange(1, 10_000_000), help="In place of collector_events_per_second_max."
)
def new(projects: tuple[str, ...], name: str, days: int | None, events_per_second: int | None) -> None:
    """Make a token and print it, this once: nobody can read it later."""
    settings = load_settings()
    file = _file(settings)
    catalog = load_catalog(settings.config_dir)
    known = {project.code for project in catalog.projects}
    for project in projects:
        if project not in known:
            like = catalog.project_like(project)
            hint = f"did you mean {like!r}?" if like else "add it to projects.yaml first"
            raise InputError(f"No project has the code {project!r}: {hint}")
    made = make_token(
        tuple(dict.fromkeys(projects)), datetime.now(UTC), name=name, days=days, events_per_second_max=events_per_second
    )
    file.add(made.token)
    click.echo(made.text)
    click.echo(f"token {made.token.id} speaks for {', '.join(made.token.projects)}; it is not shown again", err=True)


@token.command("list")
def list_tokens() -> None:
    """Print the tokens that are known, one a line."""
    now = datetime.now(UTC)
    for each in _file(load_settings()).read():
        until = "without an end" if each.expires is None else f"until {each.expires:%Y-%m-%d}"
        rate = "" if each.events_per_second_max is None else f"  {each.events_per_second_max} events/s"
        state = "EXPIRED " if has_expired(each, now) else ""
        click.echo(
            f"{each.id}  {','.join(each.projects)}  since {each.created:%Y-%m-%d}  {state}{until}{rate}  {each.name}".rstrip()
        )


@token.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """Revoke the token of this id: nobody is let in with it from now on."""
    gone = _file(load_settings()).revoke(token_id)
    click.echo(f"token {gone.id} of {', '.join(gone.projects)} is revoked")


def _file(settings: Settings) -> TokenFile:
    if settings.tokens_file is None:
        raise SettingsError(
            "tokens_file is not set: name the file, for instance VIGIE_TOKENS_FILE=/etc/vigie/tokens.json"
        )
    return TokenFile(settings.tokens_file)
