"""`keras_tuner.engine.oracle`: KerasTuner's objective, and eyetune's base class of oracles."""

from keras_tuner.engine.oracle import Objective

from eyetune.compat.keras_tuner.oracle import Oracle

__all__ = ["Objective", "Oracle"]
