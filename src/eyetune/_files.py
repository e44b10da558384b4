"""Atomic writes and file locks: the one place for both idioms."""
