"""`keras_tuner.engine.hypermodel`: KerasTuner's own."""

from keras_tuner.engine.hypermodel import HyperModel

__all__ = ["HyperModel"]
