"""Pictures for tests: plain colors, and files that cannot be read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

from PIL import Image

from eyetune.testing.datasets import tiny_images

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def plain(color: Any, mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new(mode, size, color)


def halves(first: Any, second: Any, size: tuple[int, int] = (20, 10)) -> Image.Image:
    """Return a picture with one color left and another right."""
    image = plain(first, size=size)
    image.paste(second, (size[0] // 2, 0, *size))
    return image


def truncated_jpeg(path: Path) -> None:
    Image.fromarray(tiny_images(1, 1, size=64)[0][0]).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_png(path: Path) -> None:
    Image.fromarray(tiny_images(1, 1, size=64)[0][0]).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def enormous_png(path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


UNREADABLE = {
    "0 bytes": lambda path: path.write_bytes(b""),
    "not an image": lambda path: path.write_text("just text", encoding="utf-8"),
    "truncated": truncated_jpeg,
    "broken": truncated_png,
    "too many pixels": enormous_png,
}
