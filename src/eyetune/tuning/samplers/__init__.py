"""Who suggests what a study tries next."""

from eyetune.tuning.samplers.sampler import Sampler, Suggestion

__all__ = ["Sampler", "Suggestion"]
