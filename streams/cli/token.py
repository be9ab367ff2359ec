"""`vigie token`: who may send events to the collector, and who may look."""

from datetime import UTC, datetime
from pathlib import Path

import click

from streams.access.tokens import AccessScope, Grant, Token, TokenFile, has_expired, make_token
from streams.catalog import load_catalog
from streams.cli.shared import NEW_FILE, write_out
from streams.errors import InputError, SettingsError, VigieError
from streams.settings import Settings, load_settings


@click.group()
def token() -> None:
    """Make, list and revoke tokens, in the file that the setting tokens_file names; only their hashes are kept.

    Collectors and observers see every change at once. To rotate a token, make another for the same project, give it to the ENT, and revoke
    the old one when the ENT says that it uses the other: both are valid meanwhile.
    """


@token.command()
@click.option(
    "--project", "projects", multiple=True, help="To send events of this project to a collector; several times."
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([AccessScope.READ.value, AccessScope.METRICS.value, AccessScope.ADMIN.value]),
    help="To look: at page and API, at /metrics, or at everything; several times.",
)
@click.option("--region", "regions", multiple=True, help="With --scope read: only this region; several times.")
@click.option("--name", default="", help="Whose it is: for the list, and for the access log.")
@click.option("--days", type=click.IntRange(1, 3660), help="How long it is valid; left out, until it is revoked.")
@click.option(
    "--events-per-second", type=click.IntRange(1, 10_000_000), help="In place of collector_events_per_second_max."
)
@click.option("--out", type=NEW_FILE, help="Write it to this file; one that is there is kept.")
def new(
    *,
    projects: tuple[str, ...],
    scopes: tuple[str, ...],
    regions: tuple[str, ...],
    name: str,
    days: int | None,
    events_per_second: int | None,
    out: Path | None,
) -> None:
    """Make a token and print it, this once: nobody can read it later."""
    settings = load_settings()
    file = _file(settings)
    if out is not None and out.exists():
        click.echo(f"{out} is there: no token is made", err=True)
        return
    _check_lists(settings, projects, regions)
    if not projects and not scopes:
        raise InputError("say what it is for: --project CODE to send events, --scope read, metrics or admin to look")
    if regions and tuple(scopes) != (AccessScope.READ.value,):
        raise InputError("--region narrows --scope read alone: the other scopes see everything")
    grant = Grant(
        scopes=(*([AccessScope.SEND] if projects else []), *(AccessScope(each) for each in dict.fromkeys(scopes))),
        projects=tuple(dict.fromkeys(projects)),
        regions=tuple(dict.fromkeys(regions)),
        name=name,
        days=days,
        events_per_second_max=events_per_second,
    )
    if not name.isprintable():
        raise InputError(
            f"--name {name!r} holds a character that is not seen: it is a part of a line of the access log"
        )
    made = make_token(grant, datetime.now(UTC))
    if out is not None:
        try:
            write_out("--out", out, f"{made.text}\n")
        except InputError as error:
            raise InputError(f"{error}; no token is made") from None
    try:
        file.add(made.token)
    except VigieError:
        if out is not None:
            out.unlink()
        raise
    if out is None:
        click.echo(made.text)
    click.echo(f"token {made.token.id} is for {_described(made.token)}; it is not shown again", err=True)


def _check_lists(settings: Settings, projects: tuple[str, ...], regions: tuple[str, ...]) -> None:
    catalog = load_catalog(settings.config_dir)
    known = {project.code for project in catalog.projects}
    for project in projects:
        if project not in known:
            like = catalog.project_like(project)
            hint = f"did you mean {like!r}?" if like else "add it to projects.yaml first"
            raise InputError(f"No project has the code {project!r}: {hint}")
    for region in regions:
        if region not in {each.code for each in catalog.regions}:
            raise InputError(f"No region has the code {region!r}: regions.yaml lists them")


def _described(token: Token) -> str:
    """`send mbn`, `read in 44,75`."""
    words = [f"send {','.join(token.projects)}" if scope is AccessScope.SEND else scope.value for scope in token.scopes]
    return ", ".join(words) + (f" in {','.join(token.regions)}" if token.regions else "")


@token.command("list")
def list_tokens() -> None:
    """Print the tokens that are known, one a line."""
    now = datetime.now(UTC)
    for each in _file(load_settings()).read():
        until = "without an end" if each.expires is None else f"until {each.expires:%Y-%m-%d}"
        rate = "" if each.events_per_second_max is None else f"  {each.events_per_second_max} events/s"
        state = "EXPIRED " if has_expired(each, now) else ""
        click.echo(
            f"{each.id}  {_described(each)}  since {each.created:%Y-%m-%d}  {state}{until}{rate}  {each.name}".rstrip()
        )


@token.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """Revoke the token of this id: nobody is let in with it from now on."""
    gone = _file(load_settings()).revoke(token_id)
    click.echo(f"token {gone.id} for {_described(gone)} is revoked")


def _file(settings: Settings) -> TokenFile:
    if settings.tokens_file is None:
        raise SettingsError(
            "tokens_file is not set: name the file, for instance VIGIE_TOKENS_FILE=/etc/vigie/tokens.json"
        )
    return TokenFile(settings.tokens_file)
