"""For `vigie up --verify`: what the simulator and the recount know, as the figures that are compared."""

from __future__ import annotations

from pathlib import Path

from streams.audit.verify import Figures, Minutes
from streams.count import Cut
from streams.errors import InputError
from streams.settings import Settings
from streams.simulate.truth import Truth, load_truth

_CUTS = {"region_service": Cut.EVENTS, "project": Cut.PROJECT, "profile_region": Cut.PROFILE, "academy": Cut.ACADEMY}


def known_figures(settings: Settings, truth: Path | None) -> list[Figures]:
    """The figures of the recount, and of the simulator where there was one.

    Raises:
        InputError: the truth is not there or not final.
    """
    del settings
    return [] if truth is None else [truth_figures(load_truth(truth))]


def truth_figures(truth: Truth) -> Figures:
    """What the simulator knows. Repeats are counted as events as long as the chain does not remove duplicates."""
    if not truth.complete:
        raise InputError("the simulator did not end in order, so its truth is not final: see its log, run again")
    minutes: Minutes = {}
    for name, cut in _CUTS.items():
        for (minute, codes), number in truth.expected(name, with_duplicates=True).items():
            minutes[minute, (cut, *codes)] = number
    counted = truth.events + truth.duplicates
    return Figures("simulator's truth", truth.published, counted, truth.rejected_total, 0, truth.rejected, minutes)
