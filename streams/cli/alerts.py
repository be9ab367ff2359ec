"""`vigie alerts` and `vigie alerts ack`."""

import getpass
import re
import time
from collections.abc import Sequence

import click

from streams.cli.shared import print_json, say_simulation, settings_and_lists, since_text
from streams.edges import redis_address
from streams.errors import InputError, ServerError
from streams.expose.alert_english import TerminalWords, several
from streams.expose.alert_french import Words
from streams.expose.alert_rows import ALL, STATES, alert_row, chosen, read_times
from streams.expose.alertmanager import acknowledge, read_acknowledgements
from streams.expose.incidents import Telling
from streams.expose.minutes_query import read_time
from streams.expose.scope import FRANCE, incident_of, incidents_for, project_regions
from streams.incidents import Acknowledgement, AlertRecord, Incident, matchers_of
from streams.live import AlertStore
from streams.settings import Settings

#: An acknowledgement is for so long at most: what lasts longer is a planned stop (config/maintenances.yaml).
HOURS_MAX = 72
_UNITS_MS = {"m": 60_000, "h": 3_600_000}


@click.group(invoke_without_command=True)
@click.option("--state", type=click.Choice(STATES), default=ALL, show_default=True)
@click.option(
    "--since",
    "--from",
    "from_text",
    metavar="TIME",
    help="Incidents that ran then or later: 15m, 6h or 3d ago, or ISO 8601 (UTC).",
)
@click.option("--to", "to_text", metavar="TIME", help="Incidents that began before, ISO 8601 (UTC).")
@click.option("--each", is_flag=True, help="Each alert by itself, also those that another one explains.")
@click.option(
    "--explain", metavar="ID", help="One in full: against what, what drives it, what it explains, what to do."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, and nothing else.")
@click.pass_context
def alerts(
    context: click.Context,
    state: str,
    from_text: str | None,
    to_text: str | None,
    *,
    each: bool,
    explain: str | None,
    as_json: bool,
) -> None:
    """Print the incidents that run and those of the last weeks: alerts, each with those that it explains.

    Times are in Paris, with the offset; in a simulation those of the scenario. JSON has UTC, and the French texts of page, e-mails and
    boards in `title` and `explanation`.
    """
    if context.invoked_subcommand is not None:
        return
    settings, catalog = settings_and_lists()
    french = Words(catalog, settings.calendar_shift_seconds)
    words = TerminalWords(catalog, settings.calendar_shift_seconds)
    book = AlertStore(redis_address(settings), settings.redis_prefix).book()
    telling = Telling(french, _acknowledgements(settings), time.time_ns() // 1_000_000, settings.grafana_url)
    incidents = incidents_for(FRANCE, book, catalog)
    bounds = read_times(since_text(from_text), to_text, "--")
    if explain is not None:
        one = _found(incidents, explain)
        print_json(telling.row(one, full=True)) if as_json else _explain(words, telling, one, explain)
        return
    kept = {one.id for one in chosen(book.alerts, state, *bounds)}
    if each:
        singles = [one for one in book.alerts if one.id in kept]
        print_json(*(alert_row(one, french) for one in singles)) if as_json else _print_each(words, singles)
        return
    found = [one for one in incidents if one.id in kept]
    if as_json:
        print_json(*(telling.row(one) for one in found))
        return
    say_simulation(words.shift_seconds)
    for one in found:
        click.echo(f"{one.id}\n  {words.incident(one, telling.acknowledged(one))}")
    if telling.acknowledgements is None and any(one.is_running for one in found):
        click.echo(
            f"who has taken what in charge is unknown: Alertmanager does not answer at {settings.alertmanager_url}"
        )
    running = sum(one.is_running for one in found)
    folded = sum(1 + len(one.explains) for one in found)
    minute = book.judged_minute
    judged = "no minute was judged yet" if minute is None else f"judged up to {words.clock((minute + 1) * 60_000)}"
    click.echo(f"{several(len(found), 'incident')} of {several(folded, 'alert')}, {running} running; {judged}")


@alerts.command()
@click.argument("incident_id", metavar="ID")
@click.option("--for", "length", default="2h", show_default=True, metavar="TIME", help="For how long: 45m, 2h.")
@click.option("--until", metavar="TIME", help="Until when instead, ISO 8601; UTC without an offset.")
@click.option("--by", help="Who takes it in charge.  [default: your user name]")
@click.option("--comment", default="", help="What others read beside it, on screens in French.")
def ack(incident_id: str, length: str, until: str | None, by: str | None, comment: str) -> None:
    """Take an incident in charge: a silence of Alertmanager, so that nobody else is called; all screens say who and until when."""
    settings, catalog = settings_and_lists()
    words = TerminalWords(catalog, settings.calendar_shift_seconds)
    book = AlertStore(redis_address(settings), settings.redis_prefix).book()
    found = _found(incidents_for(FRANCE, book, words.catalog), incident_id)
    if found.id != incident_id:
        raise InputError(f"{incident_id} is a part of {found.id}: take that in charge")
    if not found.is_running:
        raise InputError(f"{incident_id} is over: nobody is called for it any more")
    now_ms = time.time_ns() // 1_000_000
    until_ms = now_ms + _length_ms(length) if until is None else read_time("--until", until)
    if not now_ms < until_ms <= now_ms + HOURS_MAX * 3_600_000:
        raise InputError(
            f"it must end within {HOURS_MAX} h from now: a longer stop belongs into config/maintenances.yaml"
        )
    by = by or _who()
    regions = project_regions(words.catalog)
    for alert in (found.alert, *found.called_before):
        given = Acknowledgement(by, until_ms, comment, tuple(matchers_of(alert, regions)))
        acknowledge(settings.alertmanager_url, given, now_ms)
    click.echo(f"{words.title(found.alert)}: {words.acknowledged(Acknowledgement(by, until_ms, comment, ()))}")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's arbitrary user
        raise InputError("this user has no name: say who takes it in charge, with --by") from None


def _acknowledgements(settings: Settings) -> Sequence[Acknowledgement] | None:
    try:
        return read_acknowledgements(settings.alertmanager_url)
    except ServerError:
        return None


def _found(incidents: Sequence[Incident], alert_id: str) -> Incident:
    if (found := incident_of(incidents, alert_id)) is None:
        raise InputError(f"no alert {alert_id[:120]!r} is kept: `vigie alerts` lists them")
    return found


def _explain(words: TerminalWords, telling: Telling, found: Incident, alert_id: str) -> None:
    say_simulation(words.shift_seconds)
    if found.id != alert_id:
        part = next(one for one in found.explains if one.id == alert_id)
        click.echo(f"{words.explanation(part)}\n\npart of {found.id}\n")
    links = telling.row(found).links
    told = (words.explanation(found.alert), words.explained(found), words.acknowledged(telling.acknowledged(found)))
    click.echo("\n".join(filter(None, told)))
    click.echo(f"at the observer: {links.page}, {links.runbook}, {links.json}\nin Grafana: {links.board}")
    for one in found.explains:
        click.echo(f"  {one.id}\n    {words.sentence(one)}")


def _print_each(words: TerminalWords, found: Sequence[AlertRecord]) -> None:
    say_simulation(words.shift_seconds)
    for one in found:
        click.echo(f"{one.id}\n  {words.sentence(one)}")
    click.echo(f"{several(len(found), 'alert')}, {sum(one.end_ms is None for one in found)} running")


def _length_ms(text: str) -> int:
    if (known := re.fullmatch(r"(\d{1,4})([mh])", text.strip())) is None:
        raise InputError(f"--for: {text[:40]!r} is no length; write 45m or 2h")
    return int(known[1]) * _UNITS_MS[known[2]]
