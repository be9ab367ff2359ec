"""A day to come, from days like it. `expectation` and `forecaster` are pure, `held_days` reads the archive, `backtest` judges."""

from streams.forecast.expectation import KnownDays, Outlook, outlook

__all__ = ["KnownDays", "Outlook", "outlook"]
