"""Guards of exactly-once counting, each broken on purpose: `python -m tests.mutation` shows that a test fails for each."""
