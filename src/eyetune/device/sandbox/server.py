"""A process that runs interpreters for another process, each request in a fork of its own.

It loads the interpreters once, which takes seconds, and forks itself for each request, which takes
milliseconds: a crash ends the fork, and nothing of a model is left for the next one. Where there is
no fork, it ends after a request.

It is started by `client`.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import IO, Any

from eyetune.device.sandbox.frames import BrokenStreamError, Message, receive, send
from eyetune.errors import BoardError, EyetuneError

MAX_REQUEST_BYTES = 1 << 36
IDLE_SECONDS = 300.0  # without a request, after which it ends
CAN_FORK = sys.platform == "linux"  # libraries of macOS do not support it
_LONGEST_WAIT_SECONDS = 0.02
_MIN_SECONDS_BETWEEN_PROGRESS = 0.02
_MAX_SHOWN = 300  # characters of an error

OnImage = Callable[[int], object]


def serve(requests: IO[bytes], answers: IO[bytes], *, can_fork: bool = CAN_FORK) -> None:
    """Answer requests until there are no more.

    Each answer is a message `ready`, any number of `done` (images so far), then a result or an
    error, and at last `ended` with the status of the fork.

    Args:
        requests: Messages with the values `action`, `options` and `memory_bytes`, the content of a
            .tflite file, and images.
        answers: Where the answers go.
        can_fork: Whether each request gets a fork. Otherwise only one is answered.
    """
    parent = os.getppid()
    while _has_request(requests):
        try:
            request = receive(requests, MAX_REQUEST_BYTES)
        except BrokenStreamError:
            return
        _load(request.values["options"].get("interpreters", ["litert"]))
        send(answers, Message({"ready": True}))
        if not can_fork:
            _answer(request, answers)
            send(answers, Message({"ended": 0}))
            return
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            try:
                _limit_memory(int(request.values["memory_bytes"]))
                _answer(request, answers)
            finally:
                os._exit(0)
        del request
        send(answers, Message({"ended": _wait(pid, parent)}))


def _has_request(requests: IO[bytes]) -> bool:
    """Wait for a request; return False if none comes for a long time."""
    if not hasattr(select, "poll"):
        return True
    return bool(select.select([requests], [], [], IDLE_SECONDS)[0])


def _load(interpreters: Sequence[str]) -> None:
    """Load the libraries of interpreters, so that all forks share them."""
    import psutil  # noqa: F401

    from eyetune.device.export import litert, tflm

    with suppress(ImportError):  # the request itself reports it
        if "micro" in interpreters:
            tflm.load_library()
        if "litert" in interpreters:
            litert.load_library()


def _wait(pid: int, parent: int) -> int:
    """Return the status of a fork: negative for the signal that ended it."""
    pause = 0.001
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if os.getppid() != parent:
            os.kill(pid, signal.SIGKILL)
            os._exit(1)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_WAIT_SECONDS)


def _limit_memory(num_bytes: int) -> None:
    """Limit what this process may take beyond what it has, and let it write no core file."""
    import resource  # not on Windows, which has no fork either

    import psutil

    limit = psutil.Process().memory_info().vms + num_bytes
    with suppress(ValueError, OSError):  # a lower limit is set already
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: Message, answers: IO[bytes]) -> None:
    last = 0.0

    def on_image(number: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _MIN_SECONDS_BETWEEN_PROGRESS:
            last = now
            send(answers, Message({"done": number}))

    action = _ACTIONS[str(request.values["action"])]
    try:
        message = action(request, on_image)
    except EyetuneError as error:
        message = Message({"error": {"kind": type(error).__name__, **_texts(error)}})
    except MemoryError:
        failed = BoardError("The .tflite model takes too much memory.")
        message = Message({"error": {"kind": "BoardError", **_texts(failed)}})
    except Exception as error:  # of an interpreter: it has many kinds
        text = " ".join(f"{type(error).__name__}: {error}".split())[:_MAX_SHOWN]
        failed = BoardError("An interpreter cannot run the .tflite model.", received=text)
        message = Message({"error": {"kind": "BoardError", **_texts(failed)}})
    send(answers, message)


def _texts(error: EyetuneError) -> dict[str, str]:
    return {"message": error.message, **error.details()}


def _scores(request: Message, on_image: OnImage) -> Message:
    from eyetune.device.export.litert import LiteRTInterpreter
    from eyetune.device.export.tflm import MicroInterpreter

    (images,) = request.arrays
    options = request.values["options"]
    arrays = []
    values = {}
    for number, name in enumerate(options["interpreters"]):
        done = partial(_done, on_image, number * len(images))
        if name == "micro":
            micro = MicroInterpreter(request.content, options["arena_bytes"])
            arrays.append(micro.scores(images, done))
            values = asdict(micro.arena())
        else:
            arrays.append(LiteRTInterpreter(request.content).scores(images, done))
    return _result(*arrays, **values)


def _done(on_image: OnImage, num_before: int, number: int) -> None:
    on_image(num_before + number)


def _ports(request: Message, _: OnImage) -> Message:
    from eyetune.device.export.litert import RealInterpreter

    return _result(**RealInterpreter(request.content).ports())


def _without_conversions(request: Message, _: OnImage) -> Message:
    from eyetune.device.export.port_conversions import without_conversions

    return Message({"result": {}}, without_conversions(request.content))


def _outputs(request: Message, on_image: OnImage) -> Message:
    from eyetune.device.export.litert import RealInterpreter

    (images,) = request.arrays
    pixels = request.values["options"]["pixels"]
    return _result(RealInterpreter(request.content).outputs(images, pixels, on_image))


def _result(*arrays: Any, **values: Any) -> Message:
    return Message({"result": values}, arrays=arrays)


_ACTIONS: dict[str, Callable[[Message, OnImage], Message]] = {
    "load": lambda _, __: _result(),
    "scores": _scores,
    "ports": _ports,
    "outputs": _outputs,
    "without_conversions": _without_conversions,
}


def main() -> None:
    """Serve on the streams of this process, which libraries cannot write to then."""
    requests: Any = os.fdopen(os.dup(0), "rb")
    answers: Any = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    serve(requests, answers)
