"""Counting, pure: no clock, no socket, no Faust, no Redis. `PartitionCounter` turns the batches of one partition into a `Delta`."""

from streams.count.counter import PartitionCounter, cut_before
from streams.count.settle import PartitionProgress, Settling, settle
from streams.count.types import Batch, Cut, Delta, Field, PartitionState, Reject

__all__ = [
    "Batch",
    "Cut",
    "Delta",
    "Field",
    "PartitionCounter",
    "PartitionProgress",
    "PartitionState",
    "Reject",
    "Settling",
    "cut_before",
    "settle",
]
