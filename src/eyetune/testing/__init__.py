"""For tests of eyetune and of plug-ins: tiny datasets, fabricated records, simulated executors."""

from eyetune.testing.datasets import (
    cifar10_files,
    tiny_dataset,
    tiny_images,
    write_archive,
    write_cifar10,
    write_image_folder,
)

__all__ = [
    "cifar10_files",
    "tiny_dataset",
    "tiny_images",
    "write_archive",
    "write_cifar10",
    "write_image_folder",
]
