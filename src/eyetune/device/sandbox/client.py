"""Runs .tflite models from elsewhere in a process of their own, and returns arrays."""

from __future__ import annotations

import atexit
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from eyetune.device.export.int8_values import Images, OnImage, Scores, no_progress
from eyetune.device.export.tflm import Arena
from eyetune.device.sandbox.frames import BrokenStreamError, Message, receive, send
from eyetune.errors import BoardError, EyetuneError, UsageError
from eyetune.inputs.limits import MODEL_BYTES, MODEL_SECONDS
from eyetune.values.pixels import PixelRange

Interpreter = Literal["micro", "litert"]

START_SECONDS = 300.0  # for loading TensorFlow, on a busy machine
MAX_ANSWER_BYTES = 1 << 30
_MAX_IDLE = 2
# The package is that of this process. -P: no module of the current folder, which may be someone
# else's, is imported.
_START = """
import sys
sys.path.insert(0, sys.argv[1])
import eyetune
del sys.path[0]
from eyetune.device.sandbox.server import main
main()
"""
_COMMAND = (sys.executable, "-P", "-c", _START, str(Path(__file__).resolve().parents[3]))


@dataclass(frozen=True)
class Classified:
    """What interpreters return for images.

    Attributes:
        scores: int8 scores of shape (N, classes), by interpreter.
        arena: Used part of the tensor arena; None without TensorFlow Lite Micro.
    """

    scores: Mapping[Interpreter, Scores]
    arena: Arena | None


def classify(
    content: bytes,
    images: Images,
    interpreters: Sequence[Interpreter],
    *,
    arena_bytes: int = 0,
    on_image: OnImage = no_progress,
) -> Classified:
    """Return the int8 scores of images by one interpreter or by both.

    Args:
        content: The content of a .tflite file.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        interpreters: "micro" for TensorFlow Lite Micro, "litert" for LiteRT's reference kernels.
        arena_bytes: Size of the tensor arena in bytes; it is doubled until the model fits.
        on_image: Called with the number of classifications so far, by all interpreters together.

    Raises:
        BoardError: An interpreter cannot run the model, crashes, or exceeds a limit.
    """
    options = {"interpreters": list(interpreters), "arena_bytes": arena_bytes}
    answer = _ask("scores", content, images, options, on_image)
    on_image(len(interpreters) * len(images))
    if len(answer.arrays) != len(interpreters):
        raise _unusable("no scores")
    scores = {
        name: _checked(array, "int8", len(images))
        for name, array in zip(interpreters, answer.arrays, strict=True)
    }
    arena = None
    if "micro" in interpreters:
        sizes = [answer.values["result"].get(name) for name in ("head_bytes", "tail_bytes")]
        if not all(isinstance(size, int) for size in sizes):
            raise _unusable("no sizes of the arena")
        arena = Arena(*sizes)
    return Classified(scores, arena)


def ports(content: bytes) -> Mapping[str, Any]:
    """Return `inputs` and `outputs` of a .tflite model, as `RealInterpreter.ports` does.

    Raises:
        UsageError: LiteRT cannot load it.
        BoardError: LiteRT crashes, or exceeds a limit.
    """
    values: Mapping[str, Any] = _ask("ports", content, None, {}, no_progress).values["result"]
    return values


def without_conversions(content: bytes) -> bytes:
    """Return a .tflite file without the operators that convert its ports from and to int8.

    What comes back is as little to be trusted as what was given.

    Raises:
        BoardError: The file is damaged, or exceeds a limit.
    """
    options: dict[str, Any] = {"interpreters": []}
    return _ask("without_conversions", content, None, options, no_progress).content


def outputs(
    content: bytes, images: Images, pixels: PixelRange, on_image: OnImage = no_progress
) -> NDArray[np.float32]:
    """Return the outputs of a .tflite model for images as real numbers, shape (N, outputs).

    Args:
        content: The content of a .tflite file, float or quantized.
        images: Pixels, uint8 of shape (N, height, width, channels), at least one image.
        pixels: The range of pixels that the model takes.
        on_image: Called with the number of images so far.

    Raises:
        BoardError: LiteRT cannot run the model, crashes, or exceeds a limit.
    """
    answer = _ask("outputs", content, images, {"pixels": pixels}, on_image)
    on_image(len(images))
    values = _checked(answer.arrays[0], "float32", len(images)) if answer.arrays else None
    if values is None or not np.isfinite(values).all():
        raise _unusable("it returns numbers that are not finite")
    return values


def _checked(array: NDArray[Any], dtype: str, num_images: int) -> NDArray[Any]:
    """Return an array of an answer if it has a row of numbers for each image."""
    if array.dtype.name != dtype or array.ndim != 2 or len(array) != num_images or not array.size:
        raise _unusable(f"it returns {array.dtype.name} of shape {array.shape}")
    return array


def _unusable(reason: str) -> BoardError:
    return BoardError(
        "The .tflite model is no classifier that can be used.",
        expected="one row of scores for each image",
        received=reason,
        fix="Convert the network again.",
    )


@final
class _Server:
    """The process of an interpreter."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.is_used = False
        self._process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends it from here, with its fork
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: Message) -> None:
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, message)
        except OSError as error:
            raise BrokenStreamError(str(error)) from None

    def receive(self, seconds: float, max_bytes: int) -> Message:
        """Return the next message.

        Raises:
            BrokenStreamError: There is none.
            TimeoutError: None came in time; the process is ended.
        """
        assert self._process.stdout is not None
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self.kill()

        watch = threading.Timer(seconds, end)
        watch.daemon = True
        watch.start()
        try:
            return receive(self._process.stdout, max_bytes)
        except BrokenStreamError:
            if is_late.is_set():
                raise TimeoutError from None
            raise
        finally:
            watch.cancel()

    def kill(self) -> None:
        """End the process and its fork."""
        if not self.is_alive:
            return
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """End the process, and wait for its end."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._process.wait()


_idle: list[_Server] = []
_warming: list[threading.Thread] = []
_lock = threading.Lock()


def warm_up(interpreters: Sequence[Interpreter]) -> None:
    """Start a process for interpreters, and return at once: it loads them in the meantime.

    Args:
        interpreters: "micro" for TensorFlow Lite Micro, "litert" for LiteRT.
    """

    if _idle or _warming:
        return

    def load() -> None:
        options = {"interpreters": list(interpreters)}
        with suppress(EyetuneError, OSError):  # the first model reports it
            _ask("load", b"", None, options, no_progress, server=_Server())
        _warming.clear()

    thread = threading.Thread(target=load, name="eyetune-sandbox", daemon=True)
    _warming.append(thread)
    thread.start()


def _take() -> _Server:
    for thread in tuple(_warming):
        thread.join()
    with _lock:
        while _idle:
            server = _idle.pop()
            if server.owner == os.getpid() and server.is_alive:
                return server
    return _Server()


def _give_back(server: _Server) -> None:
    server.is_used = True
    with _lock:
        if server.is_alive and len(_idle) < _MAX_IDLE:
            _idle.append(server)
            return
    server.close()


@atexit.register
def _close_idle() -> None:
    with _lock:
        for server in _idle:
            if server.owner == os.getpid():
                server.close()
        _idle.clear()


def _ask(
    action: str,
    content: bytes,
    images: Images | None,
    options: Mapping[str, Any],
    on_image: OnImage,
    *,
    server: _Server | None = None,
) -> Message:
    """Let a server do something with a model, and return its result."""
    seconds = MODEL_SECONDS.value
    arrays = [] if images is None else [images]
    num_bytes = MODEL_BYTES.value + sum(array.nbytes for array in arrays)
    values = {"action": action, "options": options, "memory_bytes": num_bytes}
    request = Message(values, content, arrays)
    server = _begun(server or _take(), request)
    try:
        answer, status = _answered(server, seconds, on_image)
    except (ValueError, KeyError, TypeError) as error:
        server.close()
        raise _unusable(f"{type(error).__name__} in an answer of its process") from None
    except BaseException:  # Ctrl-C, too
        server.close()
        raise
    _give_back(server)
    if answer is None:
        raise _crashed(status)
    if "error" in answer.values:
        raise _error(answer.values["error"])
    if not isinstance(answer.values.get("result"), dict):
        raise _unusable("no result")
    return answer


def _begun(server: _Server, request: Message) -> _Server:
    """Send a request, and return the server that works on it: it may have ended while it idled."""
    try:
        server.send(request)
        server.receive(START_SECONDS, 0)
    except (BrokenStreamError, TimeoutError):
        was_used = server.is_used
        server.close()
        if was_used:
            return _begun(_Server(), request)
        raise BoardError(
            "The process for interpreters of models cannot be started.",
            received=shlex.join(_COMMAND),
            fix="Run this command to see why.",
        ) from None
    except BaseException:
        server.close()
        raise
    return server


def _answered(server: _Server, seconds: int, on_image: OnImage) -> tuple[Message | None, int | str]:
    """Return the result or error of a server, None if it crashed, and how its fork ended."""
    answer = None
    while True:
        try:
            message = server.receive(seconds, MAX_ANSWER_BYTES)
        except BrokenStreamError as error:
            server.close()
            return None, str(error)
        except TimeoutError:
            raise BoardError(
                "The .tflite model takes too long.",
                expected=f"at most {seconds} s to load it, and for each image",
                fix=f"If you trust it: export {MODEL_SECONDS.variable}={2 * seconds}",
            ) from None
        if "ended" in message.values:
            return answer, message.values["ended"]
        if "done" in message.values:
            on_image(int(message.values["done"]))
        else:
            answer = message


def _error(values: Any) -> EyetuneError:
    """Return the error that a server reports."""
    texts = values if isinstance(values, dict) else {}
    kind = UsageError if texts.get("kind") == UsageError.__name__ else BoardError
    details = {name: texts.get(name) for name in ("expected", "received", "fix")}
    return kind(str(texts.get("message")), **details)


def _crashed(status: int | str) -> BoardError:
    how = str(status)
    if isinstance(status, int) and status < 0:
        with suppress(ValueError):
            how = f"its process was killed by {signal.Signals(-status).name}"
    return BoardError(
        "An interpreter crashed on the .tflite model.",
        expected="a model as a converter writes it",
        received=how,
        fix="A layer whose output is always 0 can end an interpreter: train the network again. "
        "Otherwise the file is damaged, or made to do harm: copy or convert it again. If it takes "
        f"more than {MODEL_BYTES.value:,} bytes of memory, set {MODEL_BYTES.variable}.",
    )
