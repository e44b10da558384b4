"""Techniques: named edits of a recipe, each with why it can help, when it hurts, and the values
worth trying.
"""

from eyetune.techniques.registry import Technique, find, load_file, technique, techniques

__all__ = ["Technique", "find", "load_file", "technique", "techniques"]
