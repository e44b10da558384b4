"""Techniques: named edits of a recipe, each with its benefits, its risks and values to try."""

from eyetune.techniques.registry import Technique, find, load_file, technique, techniques

__all__ = ["Technique", "find", "load_file", "technique", "techniques"]
