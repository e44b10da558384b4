"""Techniques of augmentation: variations of the training images, new in each epoch."""

from __future__ import annotations

from typing import Any

from eyetune.recipe import Recipe
from eyetune.techniques.registry import technique

GROUP = "augmentation"
DEFAULT_NOISE = 0.05  # of noisy copies, where the recipe has no noise of its own
_KERAS = "https://keras.io/api/layers/preprocessing_layers/image_augmentation"


@technique(
    "noise",
    values=(0.02, 0.05, 0.1),
    group=GROUP,
    why="""Gaussian noise on the pixels, new in each epoch: the network never sees the same image
    twice and cannot rely on single pixels. The value is the standard deviation, on a scale of 0 to
    1.""",
    hurts="Too much noise hides what distinguishes the classes.",
    link="https://keras.io/api/layers/regularization_layers/gaussian_noise/",
)
def _noise(recipe: Recipe, value: float) -> Recipe:
    return recipe.with_({"augment.noise": value})


@technique(
    "noisy-copies",
    values=(1, 2),
    group=GROUP,
    why="""Train on the real images and, in addition, on copies with added noise. The network sees
    the original and its variations. The value is the number of copies of each image.""",
    hurts="An epoch takes two or three times as long, so compare at equal time.",
    link="https://keras.io/api/layers/regularization_layers/gaussian_noise/",
)
def _noisy_copies(recipe: Recipe, value: int) -> Recipe:
    noise = recipe.augment.noise or DEFAULT_NOISE
    return recipe.with_({"augment.noise": noise, "augment.copies": value})


@technique(
    "camera",
    values=("ov2640",),
    group=GROUP,
    why="""A board's camera takes other pictures than those in a data set: blurred, darker or
    brighter, noisy, with a color cast and rounded colors. A part of the training images gets such
    a look, others in each epoch. The value is the camera.""",
    hurts="""On clean images it gains nothing, and a small network may lose a little there: judge it
    by pictures of the camera, with `eyetune gap`.""",
    link="https://github.com/espressif/esp32-camera",
    needs="pictures of the camera, which show what it gains",
)
def _camera(recipe: Recipe, value: str) -> Recipe:
    return recipe.with_({"data.camera": value})


def _register(
    name: str, values: tuple[Any, ...], *, why: str, hurts: str, link: str, needs: str = ""
) -> None:
    """Register a technique that sets the value of that name in the recipe's augment section."""

    def edit(recipe: Recipe, value: Any) -> Recipe:
        return recipe.with_({f"augment.{name.replace('-', '_')}": value})

    register = technique(
        name, values=values, group=GROUP, why=why, hurts=hurts, link=link, needs=needs
    )
    register(edit)


_register(
    "flip",
    (True,),
    why="""A cat that looks to the left is still a cat when it looks to the right: mirroring every
    second image doubles what the network has seen.""",
    hurts="""Where left and right distinguish the classes (digits, letters, road signs), it teaches
    something wrong.""",
    link=f"{_KERAS}/random_flip/",
)
_register(
    "upside-down",
    (True,),
    why="""A board may hang from the ceiling or lie in either direction, and its pictures are then
    upside down: half of the training images are turned by 180 degrees.""",
    hurts="""For a board that is always mounted in the same way, it makes learning harder and gains
    nothing: turn the camera's picture in the firmware instead.""",
    link=f"{_KERAS}/random_rotation/",
    needs="a board that may hang upside down",
)
_register(
    "shift",
    (2, 4),
    why="""An object stays the same object when it moves by a few pixels. The reflection of the
    image fills the border that opens. The value is the largest shift in pixels.""",
    hurts="Large shifts move the object out of a small image.",
    link=f"{_KERAS}/random_translation/",
)
_register(
    "rotate",
    (10, 20),
    why="Cameras are rarely held level. The value is the largest rotation in degrees.",
    hurts="""Where up and down matter (6 and 9), keep the value small. Rotation blurs small
    images.""",
    link=f"{_KERAS}/random_rotation/",
)
_register(
    "zoom",
    (0.1, 0.2),
    why="""Objects appear nearer and farther. The value is the largest factor by which the image
    grows or shrinks: 0.1 is 10%.""",
    hurts="Enlarging blurs small images.",
    link=f"{_KERAS}/random_zoom/",
)
_register(
    "contrast",
    (0.2, 0.4),
    why="""Light changes: images have less contrast or more. A camera board meets more of this than
    a data set shows.""",
    hurts="Where contrast itself distinguishes the classes, it hides the difference.",
    link=f"{_KERAS}/random_contrast/",
)
_register(
    "color",
    (0.1, 0.3),
    why="""Cameras tint images. Saturation and each color channel change slightly, so the network
    cannot rely on one hue.""",
    hurts="Where color distinguishes the classes (ripe from unripe), it hides the difference.",
    link=f"{_KERAS}/random_color_jitter/",
)
_register(
    "cutout",
    (8, 12),
    why="""A gray square hides a part of each image, so the network must recognize an object by
    more than its most obvious feature. The value is the side of the square in pixels.""",
    hurts="In short trainings of small networks, it mostly makes learning harder.",
    link="https://arxiv.org/abs/1708.04552",
)
_register(
    "mixup",
    (0.1, 0.2),
    why="""Two images are blended, and their labels are blended in the same proportion. The network
    learns to change its answer gradually from one class to the other.""",
    hurts="""Small networks and short trainings underfit with it, and training accuracy loses its
    meaning.""",
    link="https://arxiv.org/abs/1710.09412",
)
_register(
    "cutmix",
    (0.5, 1.0),
    why="""A part of one image replaces that part of another, and the labels are mixed by area:
    every pixel still teaches something.""",
    hurts="As with mixup, it needs longer trainings.",
    link="https://arxiv.org/abs/1905.04899",
)
