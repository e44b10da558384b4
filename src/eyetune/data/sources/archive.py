"""Files in a .tar or .tar.gz archive, read without extracting it and within limits.

Python's `tarfile` reads headers of any size into memory, and its streams do not verify gzip's
checksum. Here the headers are parsed one by one, and everything is read in order.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Container, Generator, Iterator
from pathlib import Path
from typing import BinaryIO

from eyetune.inputs.limits import ARCHIVE_BYTES, ARCHIVE_HEADER_BYTES, ARCHIVE_MEMBERS
from eyetune.inputs.regular_file import open_file

GZIP_MAGIC = b"\x1f\x8b"
BLOCK_BYTES = tarfile.BLOCKSIZE
CHUNK_BYTES = 2**16
# Members that describe the next one, with its name if that is long.
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_SKIPPED_TYPES = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK)
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
# Links, folders and devices have no content, whatever their header says.
_EMPTY_TYPES = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_MAX_LENGTH_DIGITS = 10  # of a record in a pax header


def members(path: Path, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the names, without folders, and the contents of the wanted files in an archive.

    Args:
        path: The archive, compressed by gzip or not.
        wanted: Names of files, without folders.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        EOFError: It is truncated.
        LimitExceededError: It is too large, or has too many members or too large headers.
        ValueError: It is damaged or not an archive.
    """
    with open_file(path) as file:
        is_compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        stream = _Stream(_unpacked(file) if is_compressed else _chunks(file))
        yield from _members(stream, wanted)
        while stream.read(CHUNK_BYTES):  # the checksum comes at the very end
            pass


class _Stream:
    """The bytes of an archive in order."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._num_bytes = 0
        self._limit_bytes = ARCHIVE_BYTES.value

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end.

        Raises:
            LimitExceededError: The archive is too large.
        """
        parts = []
        missing = size
        while missing:
            if not self._rest:
                self._rest = memoryview(next(self._chunks, b""))
                if not self._rest:
                    break
            part = self._rest[:missing]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            missing -= len(part)
            self._num_bytes += len(part)
            if self._num_bytes > self._limit_bytes:
                ARCHIVE_BYTES.check(self._num_bytes, "an archive")
        return b"".join(parts)

    def read_all(self, size: int, name: str) -> bytes:
        """Return the content of a member, and skip the padding behind it.

        Raises:
            EOFError: The archive ends before.
        """
        content = self.read(size)
        if len(content) < size or not self._skip(-size % BLOCK_BYTES):
            raise EOFError(f"unexpected end of data in {name}")
        return content

    def skip(self, size: int, name: str) -> None:
        """Skip the content of a member and the padding behind it.

        Raises:
            EOFError: The archive ends before.
        """
        if not self._skip(size - size % -BLOCK_BYTES):
            raise EOFError(f"unexpected end of data in {name}")

    def _skip(self, size: int) -> bool:
        """Skip bytes; return whether there were as many."""
        while size:
            num_bytes = len(self.read(min(size, CHUNK_BYTES)))
            if not num_bytes:
                return False
            size -= num_bytes
        return True


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _unpacked(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a gzip file; its checksums are verified.

    Raises:
        EOFError: It is truncated.
        ValueError: It is damaged.
    """
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    num_parts, is_started = 1, False
    for data in _chunks(file):
        remaining = data
        while remaining:
            if unpacker.eof:  # another gzip file may follow, or zeros
                remaining = remaining.lstrip(b"\0")
                if not remaining:
                    break
                num_parts += 1
                ARCHIVE_MEMBERS.check(num_parts, "a gzip file")
                unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            is_started = True
            remaining = yield from _unpack(unpacker, remaining)
    if is_started and not unpacker.eof:
        raise EOFError("unexpected end of the gzip data")


def _unpack(unpacker: zlib._Decompress, data: bytes) -> Generator[bytes, None, bytes]:
    """Yield what some data unpacks to, in pieces; return the data behind the end."""
    while True:
        try:
            piece = unpacker.decompress(data, CHUNK_BYTES)
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if piece:
            yield piece
        data = unpacker.unconsumed_tail
        if unpacker.eof:
            return unpacker.unused_data
        if not data and len(piece) < CHUNK_BYTES:
            return b""


def _members(stream: _Stream, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    described: dict[str, str] = {}  # what a header says about the next member
    num_members = 0
    while (header := _header(stream, is_first=num_members == 0)) is not None:
        num_members += 1
        ARCHIVE_MEMBERS.check(num_members, "an archive")
        size = _size(described.get("size"), header.size)
        name = described.get("path", header.name).rpartition("/")[2]
        if min(size, header.size) < 0:
            raise ValueError(f"{name} of {size:,} bytes")
        if header.type in _PAX_TYPES or header.type == tarfile.GNUTYPE_LONGNAME:
            ARCHIVE_HEADER_BYTES.check(header.size, "a header")
            content = stream.read_all(header.size, "a header")
            if header.type in _PAX_TYPES:
                described |= _records(content)
            else:
                described["path"] = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
            continue
        if header.type in _SKIPPED_TYPES:
            stream.skip(header.size, "a header")
            continue
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError(f"{name} is a sparse file")
        described = {}
        if header.type in _EMPTY_TYPES:
            continue
        if header.type in _FILE_TYPES and name in wanted:
            ARCHIVE_BYTES.check(size, name)
            yield name, stream.read_all(size, name)
        else:
            stream.skip(size, name)


def _header(stream: _Stream, *, is_first: bool) -> tarfile.TarInfo | None:
    """Return the next header; None at the end of the archive.

    Raises:
        EOFError: It is truncated.
        ValueError: It is not a header.
    """
    content = stream.read(BLOCK_BYTES)
    if content == bytes(BLOCK_BYTES) or (not content and not is_first):
        return None
    if not is_first and len(content) < BLOCK_BYTES:
        raise EOFError("unexpected end of data in a header")
    try:
        return tarfile.TarInfo.frombuf(content, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise ValueError(str(error)) from None


def _size(described: str | None, stated: int) -> int:
    """Return the size of a member: that of a pax header counts, if there is one."""
    if described is None:
        return stated
    if not described.isdecimal() or len(described) > _MAX_LENGTH_DIGITS + 9:
        raise ValueError("a pax header with an invalid size")
    return int(described)


def _records(content: bytes) -> dict[str, str]:
    """Return the name and the size that a pax header gives the next member.

    It is a list of records such as `30 path=folder/name of a file`, each with its length in bytes
    and a line feed.
    """
    values = {}
    start = 0
    while start < len(content):
        space = content.find(b" ", start, start + _MAX_LENGTH_DIGITS + 1)
        digits = content[start:space] if space > 0 else b""
        end = start + int(digits) if digits.isdigit() else 0
        if not start < space < end <= len(content):
            raise ValueError("a damaged pax header")
        keyword, _, value = content[space + 1 : end - 1].partition(b"=")
        if keyword in (b"path", b"size"):
            values[keyword.decode()] = value.decode("utf-8", "surrogateescape")
        start = end
    return values
