"""Damaged and hostile files for every reader: `make fuzz`, see `suite.py`. pytest skips it."""
