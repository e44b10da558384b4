"""Images and labels in three splits, from a name or a path: `load(source) -> Dataset`."""

from eyetune.data.array_dataset import ArrayDataset
from eyetune.data.dataset import Dataset, Split
from eyetune.data.load import KNOWN_SOURCES, load

AnyDataset = Dataset | ArrayDataset  # what a model function can be trained on

__all__ = ["KNOWN_SOURCES", "AnyDataset", "ArrayDataset", "Dataset", "Split", "load"]
