"""The detector over the past: files of counts in, alerts and a drawing out."""

from streams.rehearse.counts_file import Counts, read_counts
from streams.rehearse.past import counts_of, rehearse_regions
from streams.rehearse.plot import write_plot
from streams.rehearse.report import as_json, as_text
from streams.rehearse.run import Found, Rehearsal, rehearse

__all__ = [
    "Counts",
    "Found",
    "Rehearsal",
    "as_json",
    "as_text",
    "counts_of",
    "read_counts",
    "rehearse",
    "rehearse_regions",
    "write_plot",
]
