"""Interfaces of other tools."""
