"""Techniques of optimization: learning rate, schedules, epochs, batch size and optimizers."""

from __future__ import annotations

from typing import Any

from eyetune.recipe import Recipe
from eyetune.recipe.sections import WITH_MOMENTUM
from eyetune.techniques.registry import technique

GROUP = "training"
# Rates that suit optimizers whose usual rate is not that of Adam.
LEARNING_RATES = {"sgd": 0.01, "adadelta": 1.0, "lion": 1e-4}
DEFAULT_LEARNING_RATE = 0.001


@technique(
    "learning-rate",
    values=(1e-2, 1e-3, 1e-4, 1e-5),
    group=GROUP,
    why="""The learning rate is the size of the optimizer's steps, and no other value matters as
    much. Larger steps learn faster and shake the network out of poor solutions. Smaller steps
    settle more precisely. Values that are powers of ten are far enough apart to see the
    difference.""",
    hurts="""If it is too large, the loss jumps about or becomes NaN. If it is too small, the
    network is still learning when the last epoch ends.""",
    link="https://keras.io/api/optimizers/adam/",
)
def _learning_rate(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"optimizer.learning_rate": value})


@technique(
    "schedule",
    values=("cosine", "one_cycle", "step", "exponential", "plateau"),
    group=GROUP,
    why="""Early in training, large steps find the region of a good solution. Later, small steps
    find its lowest point. A schedule gives you both: it lowers the learning rate during training,
    along a curve, in steps, or whenever validation loss stops improving.""",
    hurts="""With very few epochs, the rate is low before the network has learned much. After a
    schedule that ends at zero, there is no point in training for longer.""",
    link="https://arxiv.org/abs/1608.03983",
)
def _schedule(recipe: Recipe, value: str) -> Recipe:
    edits: dict[str, Any] = {"optimizer.schedule": value, "optimizer.warmup_epochs": 0}
    if value == "plateau":  # it cannot start again
        edits |= {"optimizer.cycle_epochs": 0, "optimizer.restarts": ()}
    return recipe.with_(edits)


@technique(
    "warm-up",
    values=(1, 2, 5),
    group=GROUP,
    why="""The first weights are random, and large steps from there can lead anywhere. A warm-up
    raises the learning rate from zero over the first epochs; a cosine schedule then lowers it.
    Larger peak rates become usable, above all with batch normalization and large batches.""",
    hurts="With small rates and short trainings, the epochs of the warm-up are mostly lost.",
    link="https://arxiv.org/abs/1706.02677",
)
def _warm_up(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"optimizer.schedule": "cosine", "optimizer.warmup_epochs": value})


@technique(
    "epochs",
    values=(5, 20, 40),
    group=GROUP,
    why="""An epoch is one pass over all training images. While the accuracy still rises, the
    network has not yet learned all it can.""",
    hurts="""Once validation loss starts to rise, more epochs only make the network memorize the
    training images.""",
    link="https://keras.io/api/models/model_training_apis/",
)
def _epochs(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.epochs": value})


@technique(
    "batch-size",
    values=(16, 64, 128, 256),
    group=GROUP,
    why="""The optimizer takes one step per batch. Larger batches use the processor better and
    give steadier steps. Smaller batches give more steps per epoch, and their noise often helps the
    network to generalize.""",
    hurts="""Larger batches mean fewer steps per epoch: without a larger learning rate or more
    epochs, the network learns less. Small batches are slow.""",
    link="https://arxiv.org/abs/1609.04836",
)
def _batch_size(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.batch_size": value})


@technique(
    "batch-and-epochs",
    values=("32x20", "64x15", "64x30", "128x30"),
    group=GROUP,
    why="""Batch size and epochs belong together: the time that a larger batch saves can be spent
    on more epochs. The value is batch size x epochs.""",
    hurts="""More epochs almost always look better, so compare at equal time as well as at equal
    epochs.""",
    link="https://arxiv.org/abs/1711.00489",
)
def _batch_and_epochs(recipe: Recipe, value: str) -> Recipe:
    batch_size, epochs = (int(part) for part in value.split("x"))
    return recipe.with_({"fit.batch_size": batch_size, "fit.epochs": epochs})


@technique(
    "optimizer",
    values=(
        "sgd", "rmsprop", "adamw", "nadam", "adagrad", "adadelta", "adamax", "ftrl", "lion", "muon",
    ),
    group=GROUP,
    why="""Optimizers differ in how they turn gradients into steps. Adam adapts the step size of
    each weight and works almost anywhere. SGD with momentum, given a good rate and schedule, often
    ends slightly better on images. Each optimizer is tried with its usual learning rate.""",
    hurts="""A learning rate that suits one optimizer does not suit another: SGD needs about ten
    times the rate of Adam; Lion and Muon need less. The rate may be the cause of a poor
    result.""",
    link="https://keras.io/api/optimizers/",
)  # fmt: skip
def _optimizer(recipe: Recipe, value: str) -> Recipe:
    learning_rate = LEARNING_RATES.get(value, DEFAULT_LEARNING_RATE)
    edits: dict[str, Any] = {"optimizer.name": value, "optimizer.learning_rate": learning_rate}
    if value != "sgd":
        edits["optimizer.nesterov"] = False
    if value not in WITH_MOMENTUM:
        edits["optimizer.momentum"] = 0.0
    return recipe.with_(edits)


@technique(
    "quantization-aware",
    values=(3, 6),
    group=GROUP,
    why="""A board computes with 8-bit integers. In a last stage, this training rounds weights and
    values as the board does, and the network learns to live with that. The learned ranges go into
    the export. The value is the number of epochs of that stage.""",
    hurts="""It costs epochs, and most networks lose nothing in int8 anyway: eyetune export shows
    it. Where a network does lose, the export tries cheaper remedies first.""",
    link="https://arxiv.org/abs/1712.05877",
    needs="an export, which shows the accuracy in int8",
)
def _quantization_aware(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.quantize": "int8", "fit.quantize_epochs": value})


@technique(
    "momentum",
    values=(0.9, 0.95, 0.99),
    group=GROUP,
    why="""Plain SGD forgets each gradient after its step. Momentum keeps a running sum of the
    gradients: steps in the same direction add up, and steps that contradict each other cancel out.
    This is SGD with Nesterov momentum.""",
    hurts="High momentum with a high learning rate overshoots.",
    link="https://keras.io/api/optimizers/sgd/",
)
def _momentum(recipe: Recipe, value: float) -> Recipe:
    edits = {
        "optimizer.name": "sgd",
        "optimizer.learning_rate": LEARNING_RATES["sgd"],
        "optimizer.momentum": value,
        "optimizer.nesterov": True,
    }
    return recipe.with_(edits)
