"""`python -m tests.simulation [SEEDS] [FIRST]`: many stories on all cores, with progress; the long form of `test_faults.py`."""

import gc
import logging
import os
import sys
import time
from multiprocessing import Pool

from streams.catalog import Catalog, load_catalog
from streams.ingest import group_commit
from streams.settings import default_config_dir
from tests.simulation.stories import Events, tell

SEEDS = 100_000
BLOCK = 250
_catalog: Catalog | None = None


def _block(first: int, end: int) -> Events:
    global _catalog
    group_commit.RETRY_SECONDS = (0.0, 0.0, 0.0, 0.0, 0.0)
    logging.disable()  # every fault is told; here they come by the million
    if _catalog is None:
        _catalog = load_catalog(default_config_dir())
        # A story makes many objects and keeps none: looking for garbage as often as usual takes an eighth of the time.
        gc.freeze()
        gc.set_threshold(200_000, 50, 50)
    events = Events()
    for seed in range(first, end):
        events.add(tell(seed, _catalog))
    return events


def main() -> int:
    """Run the seeds; an AssertionError names the one that differs."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    begun, done, events = time.monotonic(), 0, Events()
    blocks = [(at, min(at + BLOCK, first + seeds)) for at in range(first, first + seeds, BLOCK)]
    with Pool(os.cpu_count()) as pool:
        waiting = [pool.apply_async(_block, block) for block in blocks]
        for (at, end), result in zip(blocks, waiting, strict=True):
            events.add(result.get())
            done += end - at
            if done % 5000 == 0 or end == first + seeds:
                print(f"{done:,} of {seeds:,} seeds in {time.monotonic() - begun:,.0f} s: difference 0", flush=True)
    print(
        f"{seeds:,} seeds from {first}: {events.refusals:,} refused partitions, {events.held_back:,} held back by others, "
        f"{events.answers_lost:,} lost answers, {events.dropped:,} dropped chunks: difference 0"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
