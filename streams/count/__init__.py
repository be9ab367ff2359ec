"""Counting, pure: no clock, no socket, no Faust, no Redis. `PartitionCounter` turns the batches of one partition into a `Delta`."""

from streams.count.counter import Counting, CountingRules, PartitionCounter, between
from streams.count.delta import Batch, Cut, Delta, Field, PartitionState, Reject, Rejects, Sketch, SketchKey
from streams.count.memory import MemoryPlan
from streams.count.settle import PartitionProgress, Settling, settle

__all__ = [
    "Batch",
    "Counting",
    "CountingRules",
    "Cut",
    "Delta",
    "Field",
    "MemoryPlan",
    "PartitionCounter",
    "PartitionProgress",
    "PartitionState",
    "Reject",
    "Rejects",
    "Settling",
    "Sketch",
    "SketchKey",
    "between",
    "settle",
]
