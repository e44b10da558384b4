"""The firmware's plain C on a 32-bit RISC-V processor, as in the ESP32-C3 and ESP32-P4.

The compiler and the emulator are Debian's packages gcc-riscv64-unknown-elf,
picolibc-riscv64-unknown-elf and qemu-system-riscv.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eyetune.device.firmware import preprocess, read_result
from tests.device.firmware.stand_ins import MODEL, WARNINGS, run, written

COMPILER = shutil.which("riscv64-unknown-elf-gcc")
EMULATOR = shutil.which("qemu-system-riscv32")
PICOLIBC = Path("/usr/lib/picolibc/riscv64-unknown-elf")
needs_compiler = pytest.mark.skipif(
    COMPILER is None or not PICOLIBC.exists(),
    reason="needs the packages gcc-riscv64-unknown-elf and picolibc-riscv64-unknown-elf",
)
needs_emulator = pytest.mark.skipif(EMULATOR is None, reason="needs the package qemu-system-riscv")
TARGET = ("-march=rv32imac", "-mabi=ilp32", "--specs=picolibc.specs", "-std=c99", "-O1")
# The emulator's memory begins at 0x80000000; programs call the computer to print.
LINKING = (
    "--crt0=semihost",
    "--oslib=semihost",
    "-Wl,--defsym=__flash=0x80000000,--defsym=__flash_size=0x200000",
    "-Wl,--defsym=__ram=0x80200000,--defsym=__ram_size=0x200000",
)
MACHINE = ("-M", "virt", "-bios", "none", "-display", "none", "-monitor", "none")
SEMIHOSTING = ("-serial", "none", "-semihosting-config", "enable=on,target=native")
FRAME_SHAPE, IMAGE_SHAPE = (96, 96, 2), (32, 32, 3)

MAIN = r"""
#include <stdio.h>
#include "image.h"
#include "result.h"
static const uint8_t frame[] = {%(frame)s};
static const int8_t scores[] = {%(scores)s};
static int8_t values[%(height)d * %(width)d * %(channels)d];
int main(void)
{
    const CameraFrame source = {frame, %(frame_width)d, %(frame_height)d};
    const NetworkImage filled = {values, %(width)d, %(height)d, %(channels)d};
    fill_image(source, filled, RESIZE_CROP);
    for (unsigned i = 0; i < sizeof values; i++) {
        printf("%%d\n", values[i]);
    }
    const Result result = read_result(scores, sizeof scores, 1 / 256.0f, -128);
    printf("%%d %%d\n", (int)result.class_index, (int)result.confidence_per_mille);
    return 0;
}
"""


def numbers(values: NDArray[np.integer]) -> str:
    return ", ".join(map(str, values.reshape(-1).tolist()))


@needs_compiler
@pytest.mark.parametrize("format_name", ["c", "esp-idf"])
def test_generated_c_compiles_for_riscv(tmp_path: Path, format_name: str) -> None:
    folder = written(tmp_path / format_name, format_name)
    sources = sorted(folder.rglob("*.c"))
    assert sources
    for source in sources:
        command = [str(COMPILER), *TARGET, *WARNINGS, f"-I{source.parent}", "-c", str(source)]
        run(command, tmp_path)
    data = run(["riscv64-unknown-elf-size", "model_data.o"], tmp_path)
    assert any(int(size) >= len(MODEL.content) for size in data.splitlines()[1].split()[:2])


@needs_compiler
@needs_emulator
def test_image_and_result_answer_on_riscv_as_here(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    frame = random.integers(0, 256, FRAME_SHAPE, dtype=np.uint8)
    scores = random.integers(-128, 128, 10, dtype=np.int8)
    sizes = dict(zip(("height", "width", "channels"), IMAGE_SHAPE, strict=True))
    sizes |= {"frame_height": FRAME_SHAPE[0], "frame_width": FRAME_SHAPE[1]}
    folder = written(tmp_path / "project", "esp-idf") / "main"
    main = MAIN % {"frame": numbers(frame), "scores": numbers(scores), **sizes}
    (folder / "riscv.c").write_text(main, encoding="utf-8")
    names = ["riscv.c", "image.c", "result.c"]
    run([str(COMPILER), *TARGET, *WARNINGS, *LINKING, *names, "-o", "riscv"], folder)
    command = [str(EMULATOR), *MACHINE, *SEMIHOSTING, "-kernel", "riscv"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, stdin=subprocess.DEVNULL, check=True, timeout=300
    )
    lines = done.stderr.decode().splitlines()  # where the emulator prints for a program
    image = np.array(list(map(int, lines[:-1])), np.int8).reshape(IMAGE_SHAPE)
    np.testing.assert_array_equal(image, preprocess(frame, IMAGE_SHAPE))
    assert tuple(map(int, lines[-1].split())) == read_result(scores, 1 / 256, -128)
