"""Damaged .tflite files, the same ones each time."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

CUT = 0.05  # of the files are incomplete
_NUMBERS = (0, 1, -1, 2, 127, 255, 2**15, 2**16, 2**31 - 1, -(2**31))


def mutants(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield copies of a file, each with up to four changes.

    Args:
        content: The file.
        count: Number of copies.
        seed: Random seed.
    """
    generator = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(content)
        for _ in range(generator.randint(1, 4)):
            _change(mutant, generator)
        if generator.random() < CUT:
            del mutant[-generator.randrange(1, len(mutant) // 8) :]
        yield bytes(mutant)


def _change(mutant: bytearray, generator: random.Random) -> None:
    position = generator.randrange(8, len(mutant) - 8)
    match generator.randrange(4):
        case 0:
            mutant[position] ^= 1 << generator.randrange(8)
        case 1:
            mutant[position] = generator.randrange(256)
        case 2:  # a number or an offset
            position -= position % 4
            mutant[position : position + 4] = struct.pack("<i", generator.choice(_NUMBERS))
        case _:  # an offset that points elsewhere
            other = generator.randrange(8, len(mutant) - 8)
            mutant[position : position + 4] = mutant[other : other + 4]
