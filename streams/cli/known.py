"""For `vigie up --verify`: what the simulator knows and what the recount finds."""

from __future__ import annotations

from pathlib import Path

from streams.audit.figures import Figures, Minutes
from streams.audit.recount import Recount, recount
from streams.cli.recount import recount_rules
from streams.count import Cut
from streams.edges import kafka_address
from streams.errors import InputError
from streams.live import LiveReader
from streams.settings import Settings
from streams.simulate.truth import Truth, load_truth

_CUTS = {"region_service": Cut.EVENTS, "project": Cut.PROJECT, "profile_region": Cut.PROFILE, "academy": Cut.ACADEMY}


def known_figures(truth: Path | None) -> list[Figures]:
    """The figures of the simulator, where there was one.

    Raises:
        InputError: the truth is not there or not final.
    """
    return [] if truth is None else [truth_figures(load_truth(truth))]


def count_again(settings: Settings, reader: LiveReader) -> Recount:
    """`vigie recount` as a value."""
    rules = recount_rules(settings, visits=False)
    return recount(kafka_address(settings), settings.topic, reader, rules, lambda _done, _all: None)


def truth_figures(truth: Truth) -> Figures:
    """What the simulator knows; repeats of an id are no events, they are removed."""
    if not truth.complete:
        raise InputError("the simulator did not end in order, so its truth is not final: see its log, run again")
    minutes: Minutes = {}
    for name, cut in _CUTS.items():
        for (minute, codes), number in truth.expected(name, with_duplicates=False).items():
            minutes[minute, (cut, *codes)] = number
    return Figures(
        "simulator's truth",
        truth.published,
        truth.events,
        truth.rejected_total,
        truth.duplicates,
        truth.rejected,
        minutes,
        truth.resent,
    )
