"""Opens zip files, such as .npz and .keras, within limits on their members and unpacked size."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eyetune.inputs.limits import ARCHIVE_HEADER_BYTES, ARCHIVE_MEMBERS, Limit, LimitExceededError
from eyetune.inputs.regular_file import open_file

# Other methods may ask for gigabytes of memory before the first byte is unpacked.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def open_zip(path: Path, limit: Limit) -> Iterator[zipfile.ZipFile]:
    """Open a zip file whose members, read one after the other, stay within a limit.

    Args:
        path: The file.
        limit: The limit on the unpacked size of all members in bytes. The size of the file counts
            where it is larger: such a file does not unpack to more than it holds.

    Raises:
        OSError: It cannot be read, or is not a regular file.
        LimitExceededError: It has too many members, or they are too large.
        ValueError: A member is compressed by a method that is not supported.
        zipfile.BadZipFile: It is damaged. Other errors are possible too: see
            `damage.explaining_damage`.
    """
    with open_file(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        guarded = _GuardedFile(file.fileno())
        with zipfile.ZipFile(guarded) as archive:
            guarded.max_read_bytes = None  # the list of members has been read
            members = archive.infolist()
            ARCHIVE_MEMBERS.check(len(members), "an archive")
            methods = {member.compress_type for member in members} - {*_METHODS}
            if methods:
                raise ValueError(f"compression method {methods.pop()} of zip files")
            unpacked_bytes = sum(member.file_size for member in members)
            if unpacked_bytes > size_bytes:
                limit.check(unpacked_bytes, "an archive")
            yield archive


def check_zip(path: Path, limit: Limit) -> None:
    """Check that a zip file stays within a limit, for a library that reads it then.

    Raises:
        As `open_zip`.
    """
    with open_zip(path, limit):
        pass


class _GuardedFile(io.FileIO):
    """A file that refuses to read much at once: the list of members, which is read as a whole."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "rb", closefd=False)
        self.max_read_bytes: int | None = ARCHIVE_HEADER_BYTES.value

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, all of them: a plain file may return fewer."""
        wanted = -1 if size is None else size
        if self.max_read_bytes is not None:
            if wanted > self.max_read_bytes:
                raise LimitExceededError(ARCHIVE_HEADER_BYTES, wanted, "a list of members")
            if wanted < 0:  # the comment at the end, of at most 64 kB
                wanted = self.max_read_bytes
        if wanted < 0:
            return super().readall() or b""
        parts = []
        while wanted > 0 and (part := super().read(wanted)):
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)
