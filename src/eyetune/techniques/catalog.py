"""The ladder of techniques: what a course on tuning tries by hand, and what practice has added
since.
"""

from __future__ import annotations

from typing import Any

from eyetune.errors import RecipeError
from eyetune.recipe import ZOO, Block, Recipe
from eyetune.techniques.registry import technique

TRAINING, NETWORK, IMAGES, REGULARIZATION = "training", "network", "augmentation", "regularization"


@technique(
    "learning-rate",
    values=(1e-2, 1e-3, 1e-4, 1e-5),
    group=TRAINING,
    why="""The learning rate is the size of the optimizer's steps, and no other value matters as much. Larger
    steps learn faster and shake the network out of poor solutions; smaller ones settle more precisely. Powers
    of ten are far enough apart to see the difference.""",
    hurts="""Too large, and the loss jumps about or becomes NaN. Too small, and training has not arrived when
    the epochs are over.""",
    link="https://keras.io/api/optimizers/adam/",
)
def _learning_rate(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"optimizer.learning_rate": value})


@technique(
    "schedule",
    values=("cosine", "one_cycle", "step", "exponential", "plateau"),
    group=TRAINING,
    why="""Early on, large steps find the region of a good solution; later, small ones find its bottom. A
    schedule gives both: it lowers the rate over the training, in a curve, in steps, or whenever validation loss
    stops improving.""",
    hurts="""With very few epochs the rate is low before much is learned, and a schedule that ends at zero makes
    it pointless to train on.""",
    link="https://arxiv.org/abs/1608.03983",
)
def _schedule(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"optimizer.schedule": value, "optimizer.warmup_epochs": 0})


@technique(
    "warm-up",
    values=(1, 2, 5),
    group=TRAINING,
    why="""In its first steps a network's weights are random, and large steps from there can go anywhere. A
    warm-up lets the rate rise from zero over some epochs; a cosine then lowers it. It makes larger peak rates
    usable, above all with batch normalization and large batches.""",
    hurts="With small rates and short trainings the epochs of the warm-up are mostly lost.",
    link="https://arxiv.org/abs/1706.02677",
)
def _warm_up(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"optimizer.schedule": "cosine", "optimizer.warmup_epochs": value})


@technique(
    "epochs",
    values=(5, 20, 40),
    group=TRAINING,
    why="An epoch is one pass over all training images. A network whose curve still rises has not learned all it can.",
    hurts="Past the point where validation loss turns up, more epochs only teach the training images by heart.",
    link="https://keras.io/api/models/model_training_apis/",
)
def _epochs(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.epochs": value})


@technique(
    "batch-size",
    values=(16, 64, 128, 256),
    group=TRAINING,
    why="""The optimizer takes one step for each batch. Larger batches use the processor better and give
    steadier steps; smaller ones give more steps an epoch, whose noise often helps the network to generalize.""",
    hurts="""With larger batches there are fewer steps an epoch: without a larger rate or more epochs the
    network learns less. Small ones are slow.""",
    link="https://arxiv.org/abs/1609.04836",
)
def _batch_size(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.batch_size": value})


@technique(
    "batch-and-epochs",
    values=("32x20", "64x15", "64x30", "128x30"),
    group=TRAINING,
    why="""Batch size and epochs hang together: what a larger batch saves in time can be spent on more epochs.
    The value is batch size x epochs.""",
    hurts="Compare at equal time as well as at equal epochs: more epochs almost always look better.",
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
    group=TRAINING,
    why="""Optimizers differ in how they turn gradients into steps. Adam adapts the step of each weight and
    works almost anywhere. SGD with momentum, given a good rate and schedule, often ends a little better on
    images. Each is tried with Keras's own rate.""",
    hurts="""A rate that suits one optimizer does not suit another: sgd wants about ten times that of adam, lion
    and muon less. A poor result here may be the rate's fault.""",
    link="https://keras.io/api/optimizers/",
)  # fmt: skip
def _optimizer(recipe: Recipe, value: str) -> Recipe:
    rates = {"sgd": 0.01, "adadelta": 1.0, "lion": 1e-4}
    return recipe.with_(
        {"optimizer.name": value, "optimizer.learning_rate": rates.get(value, 0.001)}
    )


@technique(
    "momentum",
    values=(0.9, 0.95, 0.99),
    group=TRAINING,
    why="""Plain SGD forgets each gradient after its step. Momentum keeps a running sum of them, so that steps
    in the same direction add up and those that contradict each other cancel. This is SGD with Nesterov's
    momentum.""",
    hurts="High momentum with a high rate overshoots.",
    link="https://keras.io/api/optimizers/sgd/",
)
def _momentum(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_(
        {
            "optimizer.name": "sgd",
            "optimizer.learning_rate": 0.01,
            "optimizer.momentum": value,
            "optimizer.nesterov": True,
        }
    )


@technique(
    "activation-of-one-layer",
    values=("tanh", "sigmoid", "gelu", "leaky_relu"),
    group=NETWORK,
    why="""An activation bends the straight line that a layer computes; without one, layers in a row would be
    one layer. Here it changes in the first block alone, as the lab does with tanh.""",
    hurts="tanh and sigmoid flatten out for large inputs, where gradients then vanish. The board cannot run gelu.",
    link="https://keras.io/api/layers/activations/",
)
def _activation_of_one_layer(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model.blocks.0.activation": value})


@technique(
    "activation",
    values=("tanh", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_silu"),
    group=NETWORK,
    why="""relu is cheap and learns well, but a unit that is never above zero is dead for good. leaky_relu, elu,
    silu and gelu let a little through; relu6 and hard_silu are made for integer arithmetic.""",
    hurts="""The board's interpreter has no gelu, selu, softplus or mish, and runs elu in floating point; relu,
    relu6, leaky_relu, tanh, silu and hard_silu become int8.""",
    link="https://keras.io/api/layers/activations/",
)
def _activation(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model.activation": value})


@technique(
    "more-blocks",
    values=(1, 2),
    group=NETWORK,
    why="""Each block looks at a larger part of the picture and combines what the one before found: edges, then
    shapes, then things. The value is how many blocks to add, each with twice the filters of the last.""",
    hurts="Each pooling halves the picture: after a few blocks nothing is left of 32x32. Deeper is slower to train.",
    link="https://arxiv.org/abs/1409.1556",
)
def _more_blocks(recipe: Recipe, value: int) -> Recipe:
    last = _blocks(recipe)[-1]
    added = [
        last.model_copy(update={"filters": last.filters * 2 ** (number + 1)})
        for number in range(value)
    ]
    return _with_blocks(recipe, [*recipe.model.blocks, *added], padding="same")


@technique(
    "more-convolutions",
    values=(2, 3),
    group=NETWORK,
    why="""Two convolutions of 3x3 before a pooling see as much as one of 5x5, with fewer weights and one bend
    more. The value is how many stand before each pooling.""",
    hurts="It costs most of all: the first blocks work on large pictures.",
    link="https://arxiv.org/abs/1409.1556",
)
def _more_convolutions(recipe: Recipe, value: int) -> Recipe:
    return _with_blocks(recipe, _each(recipe, convolutions=value), padding="same")


@technique(
    "width",
    values=(0.5, 1.5, 2.0),
    group=NETWORK,
    why="""More filters let each layer look for more things at once. The value multiplies the filters of all
    blocks; below 1 the network gets smaller, which a board may need.""",
    hurts="Twice the filters is about four times the work and the weights.",
    link="https://arxiv.org/abs/1704.04861",
)
def _width(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"model.width": value})


@technique(
    "dense-units",
    values=(32, 128, 256),
    group=NETWORK,
    why="The hidden dense layer combines what the convolutions found into a decision; more units combine more.",
    hurts="Most weights sit here, and overfitting begins here.",
    link="https://keras.io/api/layers/core_layers/dense/",
)
def _dense_units(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"model.dense": [{"units": value}]})


@technique(
    "kernel-size",
    values=(5, 7),
    group=NETWORK,
    why="A larger kernel sees more of the picture at once, so a shallow network recognises larger shapes.",
    hurts="Its cost grows with the square of its side; two of 3x3 do the work of one of 5x5 for less.",
    link="https://keras.io/api/layers/convolution_layers/convolution2d/",
)
def _kernel_size(recipe: Recipe, value: int) -> Recipe:
    return _with_blocks(recipe, _each(recipe, kernel_size=value), padding="same")


@technique(
    "padding",
    values=("same",),
    group=NETWORK,
    why="Without padding each convolution loses the border of the picture; with it, border pixels count as well.",
    hurts="The picture stays larger, so the work and the dense layer's weights grow a little.",
    link="https://keras.io/api/layers/convolution_layers/convolution2d/",
)
def _padding(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model.padding": value})


@technique(
    "batch-norm",
    values=(True,),
    group=NETWORK,
    why="""Batch normalization brings each channel to mean 0 and spread 1 before its activation. Training
    becomes faster and less touchy about the rate, and larger rates can be used. On the board it costs nothing:
    it is folded into the convolution.""",
    hurts="""With few steps its running averages lag behind, and validation looks worse than the network is.
    Very small batches make it noisy.""",
    link="https://arxiv.org/abs/1502.03167",
)
def _batch_norm(recipe: Recipe, value: bool) -> Recipe:
    return recipe.with_({"model.batch_norm": value})


@technique(
    "global-pooling",
    values=(True,),
    group=NETWORK,
    why="""Global average pooling keeps one value of each channel instead of flattening them all: the first
    dense layer, which holds most weights of a small network, nearly disappears. Less to store, less to learn by
    heart.""",
    hurts="Where in the picture something was is lost, so the convolutions must be deep enough to have used it.",
    link="https://arxiv.org/abs/1312.4400",
)
def _global_pooling(recipe: Recipe, value: bool) -> Recipe:
    return recipe.with_({"model.global_pooling": value})


@technique(
    "residual",
    values=(True,),
    group=NETWORK,
    why="""A residual block adds its input to its output, so it only has to learn what to change. Gradients
    reach the first layers undimmed, and deep networks become trainable.""",
    hurts="In a network of two or three blocks there is little to gain.",
    link="https://arxiv.org/abs/1512.03385",
)
def _residual(recipe: Recipe, value: bool) -> Recipe:
    return _with_blocks(recipe, _each(recipe, residual=value, convolutions=2))


@technique(
    "depthwise",
    values=(True,),
    group=NETWORK,
    why="""A depthwise-separable convolution filters each channel by itself and then mixes them point by point:
    almost the same sight for about an eighth of the weights and the work. It is what small devices run.""",
    hurts="A little accuracy at the same width; on a processor that trains, it is not faster.",
    link="https://arxiv.org/abs/1704.04861",
)
def _depthwise(recipe: Recipe, value: bool) -> Recipe:
    first, *others = _blocks(recipe)  # the first sees three channels only: nothing to save there
    return _with_blocks(
        recipe, [first, *(block.model_copy(update={"depthwise": value}) for block in others)]
    )


@technique(
    "network",
    values=tuple(name for name in ZOO if name != "lab"),
    group=NETWORK,
    why="""Well-tried networks at the size of these images: a VGG-like one, the ResNet-8 that benchmarks of
    small devices use, ResNet-20, and a MobileNet-like one. They bring batch normalization and global pooling
    along.""",
    hurts="They want more epochs and a schedule to show what they can do.",
    link="https://arxiv.org/abs/2106.07597",
)
def _network(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"model": value})


@technique(
    "noise",
    values=(0.02, 0.05, 0.1),
    group=IMAGES,
    why="""Gaussian noise on the pixels, fresh in each epoch, so that the network never sees the same picture
    twice and cannot rely on single pixels. The value is its standard deviation on a scale of 0 to 1.""",
    hurts="Too much of it drowns what tells the classes apart.",
    link="https://keras.io/api/layers/regularization_layers/gaussian_noise/",
)
def _noise(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"augment.noise": value})


@technique(
    "noisy-copies",
    values=(1, 2),
    group=IMAGES,
    why="""The lab's own way: train on the real images and, beside each, on so many copies with added noise. The
    network sees the truth and its variations.""",
    hurts="An epoch takes two or three times as long: compare at equal time.",
    link="https://keras.io/api/layers/regularization_layers/gaussian_noise/",
)
def _noisy_copies(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"augment.noise": recipe.augment.noise or 0.05, "augment.copies": value})


def _augmentation(name: str, values: tuple[Any, ...], why: str, hurts: str, link: str) -> None:
    """Register a technique that sets one value of the augment section."""

    def edit(recipe: Recipe, value: Any) -> Recipe:
        return recipe.with_({f"augment.{name}": value})

    technique(name, values=values, group=IMAGES, why=why, hurts=hurts, link=link)(edit)


_augmentation(
    "flip",
    (True,),
    "A cat that looks left is a cat that looks right: mirroring every second image doubles what the network has seen.",
    "Where left and right tell classes apart (digits, letters, road signs) it teaches what is wrong.",
    "https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_flip/",
)
_augmentation(
    "shift",
    (2, 4),
    "A thing is the same thing a few pixels further. The border that opens is filled with the picture's reflection.",
    "Large shifts move the thing out of a small picture.",
    "https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_translation/",
)
_augmentation(
    "rotate",
    (10, 20),
    "Cameras are held askew. The value is the largest rotation in degrees.",
    "Where up and down matter (6 and 9) keep it small; the turning blurs small pictures.",
    "https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_rotation/",
)
_augmentation(
    "zoom",
    (0.1, 0.2),
    "Things come nearer and farther. The value is the largest share by which the picture grows or shrinks.",
    "The enlarging blurs small pictures.",
    "https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_zoom/",
)
_augmentation(
    "contrast",
    (0.2, 0.4),
    "Light changes: pictures get flatter or harder. A camera board sees more of that than a data set does.",
    "Where brightness itself tells classes apart it hides it.",
    "https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_contrast/",
)
_augmentation(
    "color",
    (0.1, 0.3),
    "Cameras tint: saturation and each colour channel change a little, so that no class hangs on one hue.",
    "Where colour tells classes apart (ripe from unripe) it hides it.",
    "https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_color_jitter/",
)
_augmentation(
    "cutout",
    (8, 12),
    "A grey square hides a part of each picture, so the network must know a thing by more than its one best feature.",
    "In short trainings of small networks it mostly makes learning harder.",
    "https://arxiv.org/abs/1708.04552",
)
_augmentation(
    "mixup",
    (0.1, 0.2),
    "Two pictures are laid over each other and the label is shared out likewise: the network learns to be unsure "
    "between classes instead of leaping.",
    "Small networks and short trainings underfit with it; training accuracy loses its meaning.",
    "https://arxiv.org/abs/1710.09412",
)
_augmentation(
    "cutmix",
    (0.5, 1.0),
    "A part of one picture replaces that of another and the label is shared out by area: every pixel still teaches.",
    "As with mixup, it needs longer trainings.",
    "https://arxiv.org/abs/1905.04899",
)


@technique(
    "weight-decay",
    values=(1e-4, 1e-3, 1e-2),
    group=REGULARIZATION,
    why="""Weights shrink a little in each step, so that only those stay large that earn it: smoother functions
    generalize better.""",
    hurts="Too much of it and the network cannot fit even its training images.",
    link="https://arxiv.org/abs/1711.05101",
)
def _weight_decay(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"optimizer.weight_decay": value})


@technique(
    "label-smoothing",
    values=(0.05, 0.1),
    group=REGULARIZATION,
    why="""The label says 90% instead of 100%, so the network is not pushed to be ever surer. Its confidence
    comes nearer to the truth, and often it generalizes a little better.""",
    hurts="The loss is no longer comparable with that of runs without it.",
    link="https://arxiv.org/abs/1512.00567",
)
def _label_smoothing(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"loss.label_smoothing": value})


@technique(
    "dropout",
    values=(0.2, 0.4, 0.5),
    group=REGULARIZATION,
    why="""In each step a share of the values before the dense layers is set to zero, so that no unit can rely
    on one other. It is the classic against learning by heart.""",
    hurts="Learning slows: give it more epochs. A network that underfits gets worse.",
    link="https://jmlr.org/papers/v15/srivastava14a.html",
)
def _dropout(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"model.dropout": value})


@technique(
    "early-stopping",
    values=(3, 5),
    group=REGULARIZATION,
    why="""Training ends when validation loss has not improved for so many epochs, and goes back to the best of
    them: no epoch is wasted on learning by heart.""",
    hurts="A schedule that lowers the rate at the end is cut off before it pays.",
    link="https://keras.io/api/callbacks/early_stopping/",
)
def _early_stopping(recipe: Recipe, value: int) -> Recipe:
    return recipe.with_({"fit.early_stopping": value})


@technique(
    "weight-averaging",
    values=(0.99, 0.999),
    group=REGULARIZATION,
    why="""Near the end the weights wander around a good solution. Their running average lies closer to its
    middle than any of them, and costs nothing when the network is used. The value is the share that the average
    keeps at each step.""",
    hurts="In short trainings a slow average (0.999) still remembers the beginning.",
    link="https://arxiv.org/abs/1803.05407",
)
def _weight_averaging(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"fit.weight_averaging": value})


def _each(recipe: Recipe, **changes: Any) -> list[Any]:
    return [block.model_copy(update=changes) for block in _blocks(recipe)]


def _blocks(recipe: Recipe) -> tuple[Block, ...]:
    if recipe.model.has_backbone:
        raise RecipeError(
            f"The technique changes blocks, but the network is {recipe.model.base}, which has none of its own.",
            expected="a recipe whose model.base is none",
            received=f"model.base {recipe.model.base}",
        )
    return recipe.model.blocks


def _with_blocks(recipe: Recipe, blocks: list[Any], **more: Any) -> Recipe:
    edits = {"model.blocks": [block.model_dump(exclude_unset=True) for block in blocks]}
    return recipe.with_({**edits, **{f"model.{name}": value for name, value in more.items()}})
