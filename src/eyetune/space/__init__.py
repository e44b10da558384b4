"""Spaces: the hyperparameters that a study may set, as plain data."""

from eyetune.space.space import Choice, Condition, Distribution, Range, Space, Value, Values

__all__ = ["Choice", "Condition", "Distribution", "Range", "Space", "Value", "Values"]
