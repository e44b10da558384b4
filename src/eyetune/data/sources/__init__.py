"""One module per kind of source; each returns decoded images and labels.

Internal: it exports nothing.
"""
