"""`keras_tuner.engine.tuner`: eyetune's base class of tuners."""

from keras_tuner.engine.tuner import maybe_distribute

from eyetune.compat.keras_tuner.tuner import Tuner

__all__ = ["Tuner", "maybe_distribute"]
