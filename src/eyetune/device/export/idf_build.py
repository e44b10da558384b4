"""The output of an ESP-IDF build: which files go where in the flash memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from eyetune._files import OutsideError, path_inside
from eyetune.device.export.esptool import FlashImage
from eyetune.errors import UsageError

_ARGUMENTS = "flasher_args.json"  # written by idf.py build
_MAX_ARGUMENTS_BYTES = 1_000_000
_MAX_OFFSET = 2**31


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    flash_mode: Literal["keep", "qio", "qout", "dio", "dout"]
    flash_size: Annotated[str, Field(pattern=r"^(keep|detect|\d{1,3}[MK]B)$")]
    flash_freq: Annotated[str, Field(pattern=r"^(keep|\d{1,3}m)$")]


class _Chip(BaseModel):
    model_config = ConfigDict(frozen=True)

    chip: Annotated[str, Field(pattern=r"^esp[0-9a-z]{1,20}$")]


class _FlasherArguments(BaseModel):
    """The parts of flasher_args.json that are needed; all values are checked."""

    model_config = ConfigDict(frozen=True)

    flash_settings: _Settings
    flash_files: Annotated[dict[str, str], Field(min_length=1)]
    extra_esptool_args: _Chip


def read_build(project: Path) -> FlashImage:
    """Return what a built ESP-IDF project writes to flash memory.

    Args:
        project: The project's folder, in which `idf.py build` has been run.

    Raises:
        UsageError: The project is not built, or its build is damaged or refers to other files.
    """
    build = project / "build"
    arguments = _read_arguments(build)
    files = [
        (_offset(offset), _file(build, name)) for offset, name in arguments.flash_files.items()
    ]
    return FlashImage(
        chip=arguments.extra_esptool_args.chip,
        flash_mode=arguments.flash_settings.flash_mode,
        flash_size=arguments.flash_settings.flash_size,
        flash_freq=arguments.flash_settings.flash_freq,
        files=tuple(sorted(files)),
    )


def _read_arguments(build: Path) -> _FlasherArguments:
    path = build / _ARGUMENTS
    if not path.is_file():
        raise _not_built(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(_MAX_ARGUMENTS_BYTES + 1)
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from None
    if len(content) > _MAX_ARGUMENTS_BYTES:
        raise _damaged(path, f"larger than {_MAX_ARGUMENTS_BYTES:,} bytes")
    try:
        return _FlasherArguments.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise _damaged(path, f"{name} {first['msg']}".strip()) from None


def _not_built(path: Path) -> UsageError:
    project = path.parent.parent
    if (project / "CMakeLists.txt").is_file():
        fix = f"Run `idf.py build` in {project} first. It needs ESP-IDF; flashing does not."
    else:
        fix = "Name the folder of the ESP-IDF project that `eyetune export` wrote."
    return UsageError(
        "The firmware is not built yet.", expected=str(path), received="no such file", fix=fix
    )


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(
        "The output of the build is damaged.",
        expected="files as written by `idf.py build`",
        received=f"{path}: {reason}",
        fix="Build it again: idf.py fullclean build",
    )


def _offset(text: str) -> int:
    try:
        offset = int(text, 16)
    except ValueError:
        offset = -1
    if not 0 <= offset < _MAX_OFFSET:
        raise UsageError(
            "The build contains an invalid offset in flash memory.",
            expected="a number such as 0x10000",
            received=text[:50],
            fix="Build it again: idf.py fullclean build",
        )
    return offset


def _file(build: Path, name: str) -> Path:
    """Return a file of the build; files outside the build are never written to a board."""
    try:
        path = path_inside(build, name)
        is_usable = path.is_file() and path.stat().st_size > 0
    except (OutsideError, OSError, ValueError):  # a name can be too long, or hold a NUL
        is_usable = False
    if not is_usable:
        raise UsageError(
            "A file of the build is missing, empty or outside its folder.",
            expected=f"a file in {build}",
            received=repr(name[:200]),
            fix="Build it again: idf.py fullclean build",
        )
    return path
