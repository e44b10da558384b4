"""Sources of images: archives, pickles, .npz files, image files and folders of them."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from eyetune.data.photo_facts import photo_facts
from eyetune.data.sources import cifar, folder, npz
from eyetune.data.sources.image_file import decode
from eyetune.testing.datasets import cifar10_files, tiny_images
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import LARGE, NUMBERS, mutated

SHAPE = (8, 8, 3)
ZEROS = bytes(2_000_000)
Files = Mapping[str, bytes]


# Archives of CIFAR


def _archives(_: Path) -> list[Files]:
    return [
        cifar10_files(images_per_batch=count, binary=binary)
        for count in (1, 2)
        for binary in (False, True)
    ]


def _write_archive(random: Random, corpus: Sequence[Files], target: Path) -> Path:
    files = dict(random.choice(corpus))
    kind = random.random()
    if kind < 0.4:
        name = random.choice(list(files))
        files[name] = _changed_member(random, files[name])
    elif kind < 0.45:
        files |= {f"{number}": b"" for number in range(random.choice((100, 20_000)))}
    content = _tar(random, files)
    if 0.45 <= kind < 0.65:
        content = _with_changed_header(random, content)
    elif kind >= 0.8:
        content = mutated(random, content)
    if random.random() < 0.05:
        content += ZEROS * random.choice((1, 80))
    if random.random() < 0.6:
        content = gzip.compress(content, 1, mtime=0)
        if 0.65 <= kind < 0.8:
            content = mutated(random, content)
    path = target / random.choice(("c.tar.gz", "c.tar", "c.tgz"))
    path.write_bytes(content)
    return path


def _tar(random: Random, files: Files) -> bytes:
    stream = io.BytesIO()
    tar_format = random.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    with tarfile.open(fileobj=stream, mode="w", format=tar_format) as archive:
        for name, content in files.items():
            long_name = random.random() < 0.02 and tar_format != tarfile.USTAR_FORMAT
            member = tarfile.TarInfo(f"{'x' * 200 if long_name else 'c'}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def _with_changed_header(random: Random, content: bytes) -> bytes:
    """Change a header and correct its checksum, so that readers believe it."""
    data = bytearray(content)
    starts = [
        start for start in range(0, len(data), 512) if data[start + 257 : start + 262] == b"ustar"
    ]
    start = random.choice(starts or [0])
    header = data[start : start + 512]
    kind = random.randrange(4)
    if kind == 0:
        header[156] = random.choice(b"01234567LKSxgXDMNV\0")
    elif kind == 1:
        number = random.choice((*NUMBERS, *LARGE, 2**80, 10**9))
        header[124:136] = b"\x80" + (number % 256**11).to_bytes(11, "big")
    elif kind == 2:
        header[124:136] = b"%011o\0" % random.choice((0, 1, 511, 512, 10**6, 2**33 - 1))
    else:
        place = random.randrange(512)
        header[place] = random.randrange(256)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % (sum(header) % 8**6)
    data[start : start + 512] = header
    if kind == 0 and random.random() < 0.5:
        data[start + 512 : start + 512] = (b"%d path=x\n" % random.choice(NUMBERS)).ljust(
            512, b"\0"
        )
    return bytes(data)


_PARTS = (
    *(b"]", b"}", b")", b"(", b"a", b"e", b"s", b"u", b"t", b"\x85", b"\x86", b"\x87", b"l", b"d"),
    *(b"N", b"\x88", b"\x89", b"K\x01", b"C\x01x", b"U\x01x", b"X\x01\0\0\0x", b"q\0", b"h\0"),
    *(b"\x94", b"R", b"b", b"0", b"2", b"1", b"I5\n", b"L5L\n", b"F1\n", b"S'x'\n", b"Vx\n"),
    *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"),
    *(b"cos\nsystem\n", b"\x93", b"\x8a\x01\x01", b"G" + bytes(8), b"r\xff\xff\xff\x7f", b"."),
)


def _changed_member(random: Random, content: bytes) -> bytes:
    kind = random.random()
    if kind < 0.5:
        return mutated(random, content)
    if kind < 0.8:
        parts = [random.choice(_PARTS) for _ in range(random.choice((5, 30, 200)))]
        return b"\x80\x03" + b"".join(parts) + b"."
    if kind < 0.95:  # values inside of each other
        depth = random.choice((10, 1000, 100_000))
        inner = random.choice((b"\x85", b"\x86" if random.random() < 0.1 else b"\x85", b"]a"))
        start, end = random.choice(((b"}K\x01", b"s."), (b"}", b"K\x01s."), (b"", b".")))
        if random.random() < 0.3:
            return b"]" * depth + b"a" * (depth - 1) + b"."
        return start + b")" + inner * depth + end
    return b"]" + b"K\x01a" * random.choice((10, 1_200_000)) + b"."


# Arrays


@cache
def _npz_arrays() -> dict[str, Any]:
    images, labels = tiny_images(12, 3, size=8)
    return {
        "x_train": images,
        "y_train": labels,
        "x_test": images[:3] / 255,
        "y_test": np.eye(3)[labels[:3]],
        "class_names": np.array(["cat", "dog", "owl"]),
    }


def npz_bytes(arrays: Mapping[str, Any], *, compressed: bool = False) -> bytes:
    """Return the content of an .npz file."""
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def _npz_corpus(_: Path) -> list[bytes]:
    return [npz_bytes(_npz_arrays(), compressed=compressed) for compressed in (False, True)]


def _write_npz(random: Random, corpus: Sequence[bytes], target: Path) -> Path:
    path = target / "a.npz"
    path.write_bytes(changed_npz(random, random.choice(corpus)))
    return path


def changed_npz(random: Random, content: bytes) -> bytes:
    """Return an .npz file with changes of its bytes, of its arrays or of their headers."""
    kind = random.random()
    if kind < 0.3:
        return mutated(random, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if kind < 0.6:
        arrays = {name.removesuffix(".npy"): _array(members[name]) for name in members}
        for _ in range(random.choice((1, 1, 2, 4))):
            arrays[random.choice(list(arrays))] = _odd_array(random)
        if random.random() < 0.2:
            del arrays[random.choice(list(arrays))]
        return npz_bytes(arrays, compressed=random.random() < 0.5)
    name = random.choice(list(members))
    members[name] = _changed_npy(random, members[name])
    if random.random() < 0.1:
        members |= {f"{number}.npy": b"" for number in range(random.choice((3, 12_000)))}
    if random.random() < 0.1:
        members["x_train" if random.random() < 0.5 else "a/../b.npy"] = members[name]
    stream = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return stream.getvalue()


def _array(content: bytes) -> Any:
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def _odd_array(random: Random) -> Any:
    dtype = random.choice(
        ("u1", "i1", "i8", "u8", "f2", "f4", "f8", "c8", "?", "S3", "U3", "M8[s]")
    )
    shape = tuple(random.choice((0, 1, 2, 3, 8, 12)) for _ in range(random.randrange(5)))
    if random.random() < 0.03:
        shape, dtype = (random.choice((10**6, 2 * 10**7)), random.choice((1, 20))), "u1"
    values = np.zeros(shape, dtype)
    if values.dtype.kind in "iuf" and values.size and random.random() < 0.7:
        values.flat[random.randrange(values.size)] = random.choice(
            (1, 3, 127, 0.5 if dtype[0] == "f" else 2)
        )
        if values.dtype.kind == "f" and random.random() < 0.3:
            values.flat[0] = random.choice((np.nan, np.inf, -np.inf))
    return values


def _changed_npy(random: Random, content: bytes) -> bytes:
    """Return an array with a header that may not fit it."""
    kind = random.random()
    if kind < 0.4:
        return mutated(random, content)
    descr = random.choice(
        ("'|u1'", "'<f8'", "'|O'", "'|V0'", "'<U0'", "'<U99999999'", "'x'", "[('a', '<f8')]")
    )
    sizes = [
        random.choice((0, 1, 3, 12, -1, 10**9, 10**15, 2**63)) for _ in range(random.randrange(4))
    ]
    order = random.choice(("True", "False", "0"))
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {tuple(sizes)}, }}".encode()
    if kind < 0.5:
        header += b" " * random.choice((100, 60_000))
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + content[128:]


# Images


def _images(_: Path) -> dict[str, bytes]:
    values = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    color = Image.fromarray(values, "RGBA")
    result = {}
    for suffix, mode, settings in (
        ("png", "RGBA", {}),
        ("png", "P", {"transparency": 0}),
        ("png", "LA", {}),
        ("jpg", "RGB", {}),
        ("jpg", "CMYK", {}),
        ("jpg", "L", {"progressive": True}),
        ("gif", "P", {}),
        ("webp", "RGBA", {}),
        ("bmp", "RGB", {}),
        ("bmp", "1", {}),
    ):
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        more: dict[str, Any] = {**settings}
        if suffix in ("png", "jpg", "webp"):
            more["exif"] = exif
        color.convert(mode).save(stream, {"jpg": "jpeg"}.get(suffix, suffix), **more)
        result[f"{mode}.{suffix}"] = stream.getvalue()
    for suffix in ("gif", "webp"):
        stream = io.BytesIO()
        frames = [color.convert("RGB").rotate(angle) for angle in (90, 180)]
        color.convert("RGB").save(stream, suffix, save_all=True, append_images=frames)
        result[f"frames.{suffix}"] = stream.getvalue()
    wide = Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(40, 30) * 50)
    stream = io.BytesIO()
    wide.save(stream, "png")
    result["wide.png"] = stream.getvalue()
    return result


def _write_image(random: Random, corpus: Mapping[str, bytes], target: Path) -> Path:
    name = random.choice(list(corpus))
    path = target / f"a{Path(name).suffix}"
    path.write_bytes(_changed_image(random, corpus[name], list(corpus.values())))
    return path


def _changed_image(random: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    if content.startswith(b"\x89PNG") and random.random() < 0.7:
        return _changed_png(random, content)
    return mutated(random, content, others)


def _changed_png(random: Random, content: bytes) -> bytes:
    """Change chunks of a PNG file and correct their checksums, so that readers believe them."""
    chunks, start = [], 8
    while start < len(content):
        (size,) = struct.unpack(">I", content[start : start + 4])
        chunks.append((content[start + 4 : start + 8], content[start + 8 : start + 8 + size]))
        start += size + 12
    for _ in range(random.choice((1, 2))):
        index = random.randrange(len(chunks))
        kind, data = chunks[index]
        change = random.randrange(5)
        if change == 0:
            sides = [random.choice((0, 1, 30, 3000, 9000, 2**31 - 1, 2**32 - 1)) for _ in range(2)]
            modes = bytes(random.choice((0, 1, 2, 3, 4, 6, 8, 16)) for _ in range(5))
            chunks[0] = (b"IHDR", struct.pack(">II", *sides) + modes)
        elif change == 1:
            chunks[index] = (kind, mutated(random, data))
        elif change == 2:
            name = random.choice((b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"acTL", b"tRNS"))
            extra = b"k\0\0" + zlib.compress(ZEROS * random.choice((0, 1, 5)))
            chunks[index:index] = [(name, extra)] * random.choice((1, 1, 100))
        elif change == 3:
            chunks.append(chunks[index])
        else:
            packed = zlib.compress(ZEROS * random.choice((1, 20)), 1)
            chunks = [(name, packed if name == b"IDAT" else old) for name, old in chunks]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    return content[:8] + b"".join(parts)


def _write_folder(random: Random, corpus: Mapping[str, bytes], target: Path) -> Path:
    """Write a folder of images with broken files, links, named pipes and odd names."""
    root = target / "pets"
    tops = random.choice(([root], [root], [root / "train", root / "val", root / "test"]))
    names = random.sample(["cat", "dog", "é", "a b", "[x]", ".hidden", "a\nb"], 3)
    for top in tops:
        for name in names:
            _fill(random, corpus, top / name)
    if random.random() < 0.1:
        (random.choice(tops) / "empty").mkdir(parents=True, exist_ok=True)
    return root


def _fill(random: Random, corpus: Mapping[str, bytes], folder_of_class: Path) -> None:
    folder_of_class.mkdir(parents=True)
    for number in range(random.choice((1, 4, 6))):
        name = random.choice(list(corpus))
        content = corpus[name]
        if random.random() < 0.2:
            content = _changed_image(random, content, list(corpus.values()))
        (folder_of_class / f"{number}{Path(name).suffix}").write_bytes(content)
    kind = random.randrange(12)
    if kind == 0:
        (folder_of_class / "loop").symlink_to(folder_of_class.parent, target_is_directory=True)
    elif kind == 1:
        (folder_of_class / "self.png").symlink_to("self.png")
    elif kind == 2:
        os.mkfifo(folder_of_class / "pipe.png")
    elif kind == 3:
        (folder_of_class / "zero.png").symlink_to("/dev/zero")
    elif kind == 4:
        deep = folder_of_class.joinpath(*["d"] * random.choice((3, 40)))
        deep.mkdir(parents=True)
        (deep / "a.png").write_bytes(corpus["LA.png"])


def _read_folder(path: Path) -> object:
    if cifar.looks_like_folder(path):
        return None
    listing = folder.survey(path)
    photo_facts(listing.paths(), 8, "crop")
    return listing.state, folder.read(listing, 8, "crop", skip_unreadable=True)


KINDS = (
    Kind("archive", _archives, _write_archive, cifar.read, 300),
    Kind("npz", _npz_corpus, _write_npz, npz.read, 400),
    Kind("image", _images, _write_image, lambda path: decode(path, SHAPE, "crop"), 800),
    Kind("folder", _images, _write_folder, _read_folder, 80),
)
