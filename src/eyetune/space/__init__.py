"""Spaces: the hyperparameters that a study may set, as plain data."""

from eyetune.space.hyperparameters import Choice, Condition, Distribution, Range, Value, Values
from eyetune.space.space import Space

__all__ = ["Choice", "Condition", "Distribution", "Range", "Space", "Value", "Values"]
