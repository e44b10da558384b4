"""Samplers suggest the hyperparameters of trials."""

from eyetune.tuning.samplers.sampler import Sampler, Suggestion

__all__ = ["Sampler", "Suggestion"]
