"""Images and labels in three splits, from a name or a path: `load(source) -> Dataset`."""

from eyetune.data.dataset import Dataset, Split
from eyetune.data.load import KNOWN_SOURCES, load

__all__ = ["KNOWN_SOURCES", "Dataset", "Split", "load"]
