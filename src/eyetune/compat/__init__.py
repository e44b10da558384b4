"""Interfaces of other tools. Internal: it exports nothing."""
