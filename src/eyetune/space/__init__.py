"""Spaces: the hyperparameters that a study may set, as plain data."""
