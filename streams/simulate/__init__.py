"""Simulated traffic with a known truth: a seeded day of visits, written to a file or published live.

- How much traffic a day has: `scenario` and `levels`. Who makes it: `population`.
- Events, second by second: `visits` and `traffic`. `odd` breaks some of them.
- What must come out: `book` and `truth`.
- Where the events go: `traffic_file`, or `live`, which puts the day on the clock, too.
"""
