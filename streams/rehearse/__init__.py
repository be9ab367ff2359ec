"""The detector over the past: files of counts in, alerts and a drawing out."""

from streams.rehearse.counts_file import CountsGrid, read_counts
from streams.rehearse.past import EarlierRows, counts_of, rehearse_regions
from streams.rehearse.plot import write_plot
from streams.rehearse.report import as_json, as_text
from streams.rehearse.run import Found, Rehearsal, lasting_into, rehearse

__all__ = [
    "CountsGrid",
    "EarlierRows",
    "Found",
    "Rehearsal",
    "as_json",
    "as_text",
    "counts_of",
    "lasting_into",
    "read_counts",
    "rehearse",
    "rehearse_regions",
    "write_plot",
]
