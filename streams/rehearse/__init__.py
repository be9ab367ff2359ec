"""The detector over the past: files of counts in, alerts and a drawing out."""

from streams.rehearse.counts_file import CountsGrid, read_counts
from streams.rehearse.from_archive import EarlierRows, counts_of, rehearse_regions
from streams.rehearse.judge_rows import Found, Rehearsal, as_json, as_text, lasting_into, rehearse
from streams.rehearse.plot import plot_page

__all__ = [
    "CountsGrid",
    "EarlierRows",
    "Found",
    "Rehearsal",
    "as_json",
    "as_text",
    "counts_of",
    "lasting_into",
    "plot_page",
    "read_counts",
    "rehearse",
    "rehearse_regions",
]
