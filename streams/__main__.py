"""Run the command line with `python -m streams`."""

from streams.cli import main

main()
