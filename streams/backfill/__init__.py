"""Months of logs become days of the archive, without Kafka or Redis: `vigie backfill`, `vigie trial`.

1. `log_input`: each file, in a process of its own, becomes events on disk, sorted by project and minute (`spill`).
2. `counting`: the events of one project and one day, from all files, go in order of their time through the very code of `streams.count`;
   what comes out is a *part* (`parts`).
3. `days`: a day of the archive is the sum of its parts, but for hours that Vigie counted itself.
"""
