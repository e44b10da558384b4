"""Trackers: they follow the records as they are written, and log them elsewhere."""
