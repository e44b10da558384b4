"""One training: from a recipe and a dataset to a trained network and its history.

Internal: it exports nothing.
"""
