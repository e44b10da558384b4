"""CIFAR by Keras's own download."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

import numpy as np

from eyetune._stderr import silenced
from eyetune.data.cache import Decoded
from eyetune.data.dataset import Split
from eyetune.data.sources import cifar
from eyetune.errors import SourceError

DOWNLOAD_TIMEOUT_SECONDS = 30.0


def read(name: str) -> Decoded:
    """Let Keras download CIFAR, unless Keras already has it.

    Args:
        name: "cifar10" or "cifar100".

    Raises:
        SourceError: It could not be downloaded.
    """
    import socket

    with silenced():
        import keras

    module = getattr(keras.datasets, name)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        with redirect_stdout(sys.stderr):  # Keras's progress bar; standard output is for results
            (x_train, y_train), (x_test, y_test) = module.load_data()
    except Exception as error:  # Keras raises a bare Exception if a download fails
        raise _not_found(name, error) from None
    finally:
        socket.setdefaulttimeout(before)
    train = Split(x_train.astype(np.uint8), y_train.reshape(-1).astype(np.int64))
    test = Split(x_test.astype(np.uint8), y_test.reshape(-1).astype(np.int64))
    return Decoded(name, cifar.CLASS_NAMES[name], {"train": train, "test": test})


def _not_found(name: str, error: Exception) -> SourceError:
    directory = os.environ.get("EYETUNE_DATA")
    tried = "EYETUNE_DATA is not set"
    if directory:
        tried = f"EYETUNE_DATA ({directory}) has no such file"
    archives = cifar.ARCHIVES[name]
    return SourceError(
        f"{name} is not on this machine and could not be downloaded.",
        expected=f"{' or '.join(archives)} in the folder EYETUNE_DATA, or a connection",
        received=f"{tried}; Keras's downloader: {' '.join(str(error).split())[:200]}",
        fix=(
            f"Download {archives[0]} from https://www.cs.toronto.edu/~kriz/cifar.html, then "
            f"`export EYETUNE_DATA=FOLDER` or use --data FOLDER/{archives[0]}. "
            "To try eyetune without a download: --data digits."
        ),
    )
