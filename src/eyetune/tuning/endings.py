"""Why a study ends."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """Why a study ended; the value is recorded and completes "it ended because ..."."""

    OUT_OF_TIME = "the time is up"
    TARGET_REACHED = "the target is reached"
    OUT_OF_EPOCHS = "the budget of epochs is used up"
    OUT_OF_COMBINATIONS = "every combination has been tried"
    INFEASIBLE = "too many suggestions in a row break a constraint"
    UNBUILDABLE = "too many networks in a row could not be built"
    EXPLORED = "a longer training of the best network promises more than another trial"
    TRIALS_DONE = "all trials are done"
    STOPPED = "it was stopped by hand"
    INTERRUPTED = "it was interrupted"
    KERAS_TUNER_FAILED = "KerasTuner stopped with an error"
