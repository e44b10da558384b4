"""Figures: functions that return a matplotlib figure."""
