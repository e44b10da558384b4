"""The limits on what is read from files: one table, and one way to raise each limit.

A file of a few bytes can describe gigabytes of data. What a file holds is checked before it is
decoded, and what exceeds a limit is refused. The environment variable of a limit replaces its
default value.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from eyetune.errors import UsageError

MAX_DIGITS = 18  # of a limit
MAX_SHOWN = 80  # characters of a value that is not one


@dataclass(frozen=True)
class Limit:
    """A limit on what is read from a file.

    Attributes:
        variable: The environment variable that replaces the default value.
        default: The value without that variable.
        unit: What is counted.
        meaning: What is limited, and how, in one sentence.
    """

    variable: str
    default: int
    unit: str
    meaning: str

    @property
    def value(self) -> int:
        """The limit that applies now.

        Raises:
            UsageError: The environment variable is not a whole number above 0.
        """
        text = os.environ.get(self.variable, "")
        if not text.strip():
            return self.default
        digits = text.strip().replace("_", "")
        if not digits.isdecimal() or len(digits) > MAX_DIGITS or int(digits) == 0:
            raise UsageError(
                f"{self.variable} is not a limit.",
                expected=f"a whole number of {self.unit} above 0, such as {self.default}",
                received=text[:MAX_SHOWN],
                fix=f"Correct it or leave it out: unset {self.variable}",
            )
        return int(digits)

    def check(self, amount: int, subject: str) -> None:
        """Check that an amount is within the limit.

        Args:
            amount: The amount in the unit of the limit.
            subject: What has this amount, as the start of a sentence: "the image".

        Raises:
            LimitExceededError: It is not.
        """
        if amount > self.value:
            raise LimitExceededError(self, amount, subject)


class LimitExceededError(ValueError):
    """A file exceeds a limit.

    Args:
        limit: The limit.
        amount: The amount in the file, or a part of it that is already too much.
        subject: What has this amount.
    """

    def __init__(self, limit: Limit, amount: int, subject: str) -> None:
        super().__init__(f"{subject} of {amount:,} {limit.unit}; the limit is {limit.value:,}")
        self.limit = limit
        self.amount = amount

    @property
    def fix(self) -> str:
        """What to do about it, in one sentence."""
        enough = max(self.amount, 2 * self.limit.value)  # the amount may be that of a part
        return f"If you trust the file, raise the limit: export {self.limit.variable}={enough}"


def fix_for(error: BaseException, otherwise: str | None = None) -> str | None:
    """Return what to do about an error: how to raise a limit, or what applies otherwise.

    Example:
        >>> fix_for(LimitExceededError(IMAGE_PIXELS, 70_000_000, "an image"))
        'If you trust the file, raise the limit: export EYETUNE_MAX_IMAGE_PIXELS=128000000'
        >>> fix_for(ValueError(), "Download it again.")
        'Download it again.'
    """
    return error.fix if isinstance(error, LimitExceededError) else otherwise


IMAGE_PIXELS = Limit(
    "EYETUNE_MAX_IMAGE_PIXELS",
    64_000_000,
    "pixels",
    "Size of an image file, and of all images that are decoded at the same time. Decoding takes up "
    "to 16 bytes for each pixel.",
)
IMAGE_FILE_BYTES = Limit(
    "EYETUNE_MAX_IMAGE_FILE_BYTES",
    256_000_000,
    "bytes",
    "Size of an image file on disk.",
)
IMAGES = Limit(
    "EYETUNE_MAX_IMAGES",
    5_000_000,
    "images",
    "Images in an .npz file, and files in a folder of images.",
)
FOLDER_DEPTH = Limit(
    "EYETUNE_MAX_FOLDER_DEPTH",
    32,
    "levels",
    "Folders inside of each other below the folder of a class.",
)
ARCHIVE_BYTES = Limit(
    "EYETUNE_MAX_ARCHIVE_BYTES",
    500_000_000,
    "bytes",
    "Unpacked size of a CIFAR archive, or size of its folder.",
)
ARCHIVE_MEMBERS = Limit(
    "EYETUNE_MAX_ARCHIVE_MEMBERS",
    10_000,
    "members",
    "Members of an archive: .tar, .tar.gz, .npz or .keras.",
)
ARCHIVE_HEADER_BYTES = Limit(
    "EYETUNE_MAX_ARCHIVE_HEADER_BYTES",
    1_000_000,
    "bytes",
    "Size of the header of a member of a .tar file, and of the list of members of a .npz or .keras "
    "file.",
)
PICKLE_STEPS = Limit(
    "EYETUNE_MAX_PICKLE_STEPS",
    2_000_000,
    "steps",
    "Operations in a pickled file of a CIFAR archive.",
)
ARRAY_BYTES = Limit(
    "EYETUNE_MAX_ARRAY_BYTES",
    2_000_000_000,
    "bytes",
    "Unpacked size of an .npz file of images. The limit is the size of the file where that is "
    "larger: such a file does not unpack to more than it holds.",
)
WEIGHTS_BYTES = Limit(
    "EYETUNE_MAX_WEIGHTS_BYTES",
    1_000_000_000,
    "bytes",
    "Unpacked size of a file with a network, weights, predictions or a checkpoint: .keras, .h5 and "
    ".npz. The limit is the size of the file where that is larger.",
)
PARAMETERS = Limit(
    "EYETUNE_MAX_PARAMETERS",
    200_000_000,
    "parameters",
    "Weights of a network that a recipe or a .keras file describes, of four bytes each.",
)
TEXT_BYTES = Limit(
    "EYETUNE_MAX_TEXT_BYTES",
    1_000_000,
    "bytes",
    "Size of a TOML file: a recipe, a space or a board.",
)
TEXT_VALUES = Limit(
    "EYETUNE_MAX_TEXT_VALUES",
    20_000,
    "values",
    "Values and names in a TOML file.",
)
TEXT_DEPTH = Limit(
    "EYETUNE_MAX_TEXT_DEPTH",
    32,
    "levels",
    "Tables and lists inside of each other in a TOML file, and parts of a name with dots.",
)
JSON_BYTES = Limit(
    "EYETUNE_MAX_JSON_BYTES",
    100_000_000,
    "bytes",
    "Size of a JSON file: of a KerasTuner project, or the manifest of an export.",
)

MODEL_SECONDS = Limit(
    "EYETUNE_MAX_MODEL_SECONDS",
    300,
    "seconds",
    "Time for loading a .tflite file in its process, and for each image.",
)
MODEL_BYTES = Limit(
    "EYETUNE_MAX_MODEL_BYTES",
    4_000_000_000,
    "bytes",
    "Memory of the process of a .tflite file, beyond that of the interpreter and the images.",
)

# In the order of the documentation.
LIMITS = (
    IMAGE_PIXELS,
    IMAGE_FILE_BYTES,
    IMAGES,
    FOLDER_DEPTH,
    ARCHIVE_BYTES,
    ARCHIVE_MEMBERS,
    ARCHIVE_HEADER_BYTES,
    PICKLE_STEPS,
    ARRAY_BYTES,
    WEIGHTS_BYTES,
    PARAMETERS,
    TEXT_BYTES,
    TEXT_VALUES,
    TEXT_DEPTH,
    JSON_BYTES,
    MODEL_SECONDS,
    MODEL_BYTES,
)


def table() -> str:
    """Return all limits as a Markdown table, as in docs/security.md."""
    rows = [
        f"| `{limit.variable}` | {limit.default:,} {limit.unit} | {limit.meaning} |"
        for limit in LIMITS
    ]
    return "\n".join(["| variable | default | what it limits |", "|---|---|---|", *rows])
