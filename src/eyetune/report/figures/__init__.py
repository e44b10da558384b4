"""Figures: functions that return a matplotlib figure. Internal: it exports nothing."""
