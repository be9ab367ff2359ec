"""What `vigie publish` says at its end."""

import click

from streams.publish.lines import OVER_LINES
from streams.publish.mark import MarkFile
from streams.publish.outcomes import DryRun, Named, Tally
from streams.publish.send_lines import LineFeed


def report(feed: LineFeed, seconds: float, name: str, marks: MarkFile | None) -> int:
    """Print what became of every line; return the exit status."""
    rate = feed.delivered / max(seconds, 0.001)
    unreadable, undelivered = feed.tally.unreadable, feed.undelivered
    click.echo(
        f"{feed.lines - feed.passed:,} lines read: {feed.delivered:,} delivered ({rate:,.0f}/s), {feed.tally.skipped.total():,} skipped, "
        f"{unreadable.count:,} unreadable, {undelivered.count:,} undelivered",
        err=True,
    )
    _kinds(feed.tally, err=True)
    _name("unreadable", unreadable, err=True)
    _name("undelivered", undelivered, err=True)
    problems = [
        *_stopped(feed, marks),
        *_to_mend(feed, marks),
        *([marks.trouble] if marks is not None and marks.trouble else []),
    ]
    for problem in problems:
        click.echo(f"vigie: {name}: {problem}", err=True)
    if feed.grown is not None and feed.grown[1]:
        click.echo(f"{name}: line {feed.grown[0]} was sent before it was whole, as the same event", err=True)
    return 1 if problems else 0


def _stopped(feed: LineFeed, marks: MarkFile | None) -> list[str]:
    """Why the run ended before its stream did, and how to go on."""
    if feed.ended:
        return []
    if feed.damaged:
        return [f"{feed.trouble}. {feed.delivered:,} events were sent before that"]
    how = "run the same command again" if marks is not None else f"go on with `tail -n +{feed.through + 1}`"
    return [
        f"stopped after line {feed.lines} ({feed.trouble}). Up to line {feed.through} all is delivered but what is listed above: {how}"
    ]


def _to_mend(feed: LineFeed, marks: MarkFile | None) -> list[str]:
    how = "the same command then sends these alone" if marks is not None else "publish them again"
    line, is_same = feed.grown or (0, True)
    told = (
        (
            feed.tally.unreadable.count or (feed.undelivered.count and feed.ended),
            f"not everything was delivered: mend or delete the lines above where they are unreadable; {how}",
        ),
        (
            feed.book.lost,
            f"{feed.book.lost:,} more unreadable lines of this run or earlier ones are closed unsent: mend them in a file of their own",
        ),
        (
            not is_same,
            f"line {line} was sent before it was whole, and has become another event since, which is not sent: publish files whose "
            "last line is complete",
        ),
    )
    return [text for is_so, text in told if is_so]


def report_rehearsal(done: DryRun, name: str) -> int:
    """Print what would be sent and what not; return the exit status."""
    unreadable = done.tally.unreadable
    click.echo(f"sent {done.sent}, skipped {done.tally.skipped.total()}, unreadable {unreadable.count}")
    _kinds(done.tally)
    _name("unreadable", unreadable)
    if done.broken.count:
        reasons = ", ".join(f"{reason} {number}" for reason, number in done.reasons.most_common())
        _name(f"sent, but the chain would reject it ({reasons})", done.broken)
    if done.trouble:
        click.echo(f"vigie: {name}: {done.trouble}", err=True)
    return 1 if unreadable.count or done.trouble else 0


def _kinds(tally: Tally, *, err: bool = False) -> None:
    for kind, number in tally.skipped.most_common():
        click.echo(f"skipped, {kind}: {number}", err=err)


def _name(title: str, lines: Named, *, err: bool = False) -> None:
    if not lines.count:
        return
    click.echo(f"{title}: {lines.count:,} line(s)", err=err)
    over_lines = [(number, why) for number, why in lines.first if why == OVER_LINES]
    for number, why in over_lines[:1] or lines.first:
        click.echo(f"  line {number}: {why}", err=err)
    if not over_lines and lines.count > len(lines.first):
        click.echo(f"  ... and {lines.count - len(lines.first):,} more", err=err)
