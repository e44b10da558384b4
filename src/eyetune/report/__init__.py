"""Figures and pages, made from records and plain values alone. Internal: it exports nothing."""
