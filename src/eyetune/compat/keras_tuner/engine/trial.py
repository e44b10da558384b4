"""`keras_tuner.engine.trial`: KerasTuner's own; the trials of `tuner.oracle` are such trials."""

from keras_tuner.engine.trial import Trial, TrialStatus

__all__ = ["Trial", "TrialStatus"]
