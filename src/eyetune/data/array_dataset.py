"""A data set that a user gave as arrays: samples to train on and to validate on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eyetune.values.samples import Samples


@dataclass(frozen=True)
class ArrayDataset:
    """Data that a user gave as arrays. There is no test split: the user keeps that.

    Attributes:
        source: Folder of its files.
        fingerprint: Hash of everything in it.
        given: The samples as they were given, including those that are split off.
        num_train: Number of samples that are trained on, the first ones.
        validation_split: Share of the samples that are split off for validation; 0 for none.
        separate_validation: The validation data, if it was given separately.
        notes: Remarks for the user.
    """

    source: str
    fingerprint: str
    given: Samples
    num_train: int
    validation_split: float = 0.0
    separate_validation: Samples | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Short name."""
        return "arrays"

    @property
    def train(self) -> Samples:
        """The samples that networks are trained on."""
        if self.num_train == len(self.given):
            return self.given
        return self.given.take(0, self.num_train)

    @property
    def validation(self) -> Samples | None:
        """The samples that choices are based on; None if there are none."""
        if self.separate_validation is not None or self.num_train == len(self.given):
            return self.separate_validation
        return self.given.take(self.num_train, len(self.given))

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of the inputs of one sample; empty if they are several arrays."""
        return self.given.x.shape[1:] if isinstance(self.given.x, np.ndarray) else ()

    def split(self, name: str) -> Samples | None:
        """Return a split by its name; None if there is none."""
        return {"train": self.train, "validation": self.validation}.get(name)
