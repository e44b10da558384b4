from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from eyetune.data.sources.archive import members
from eyetune.inputs.limits import (
    ARCHIVE_BYTES,
    ARCHIVE_HEADER_BYTES,
    ARCHIVE_MEMBERS,
    LimitExceededError,
)

FILES = {"a": b"1" * 1000, "b": b"2" * 512, "c": b"", "other": b"3" * 100}
WANTED = {"a", "b", "c"}
LONG = "long" * 40


def packed(
    files: Mapping[str, bytes] = FILES, tar_format: int = tarfile.PAX_FORMAT, folder: str = "f"
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tar_format) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def read(path: Path, content: bytes) -> dict[str, bytes]:
    path.write_bytes(content)
    return dict(members(path, WANTED))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.mark.parametrize("folder", ["f", LONG, "größe"])
@pytest.mark.parametrize(
    "tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
)
def test_members_reads_every_format(tar_format: int, folder: str, path: Path) -> None:
    if tar_format == tarfile.USTAR_FORMAT:
        folder = folder[:90]
    expected = {name: FILES[name] for name in WANTED}
    content = packed(tar_format=tar_format, folder=folder)
    for variant in (
        content,
        gzip.compress(content),
        gzip.compress(content[:700]) + gzip.compress(content[700:]) + b"\0" * 100,
    ):
        assert read(path, variant) == expected


def test_members_reads_a_long_name_of_a_file(path: Path) -> None:
    name = "x" * 300
    for tar_format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path.write_bytes(packed({name: b"content", "a": b"1"}, tar_format))
        assert dict(members(path, {name})) == {name: b"content"}


def test_members_reads_the_size_in_a_pax_header(path: Path) -> None:
    stream = io.BytesIO()
    member = tarfile.TarInfo("a")
    member.size, member.pax_headers = 3, {"size": "3"}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(b"abc"))
    content = stream.getvalue()
    assert b" size=3\n" in content
    assert read(path, content) == {"a": b"abc"}


def test_members_skips_links_and_folders(path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo("a")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert read(path, stream.getvalue() + b"") == {}


def pax_header(num_bytes: int) -> bytes:
    """Return the header of an archive that announces a header of many bytes."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, num_bytes
    return member.tobuf()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
@pytest.mark.parametrize("num_bytes", [ARCHIVE_HEADER_BYTES.default + 1, 2**40])
def test_members_refuses_a_giant_header(kind: bytes, num_bytes: int, path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, num_bytes
    header = member.tobuf(tarfile.GNU_FORMAT)
    with pytest.raises(LimitExceededError) as caught:
        read(path, gzip.compress(header + b"0" * 2_000_000))
    assert caught.value.limit == ARCHIVE_HEADER_BYTES


def test_members_refuses_many_members(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ARCHIVE_MEMBERS.variable, "4")
    assert len(read(path, packed())) == 3
    monkeypatch.setenv(ARCHIVE_MEMBERS.variable, "3")
    with pytest.raises(LimitExceededError):
        read(path, packed())


@pytest.mark.parametrize("place", ["wanted", "other", "end", "gzip files"])
def test_members_refuses_a_bomb(place: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ARCHIVE_BYTES.variable, "200000")
    monkeypatch.setenv(ARCHIVE_MEMBERS.variable, "50")
    bomb = b"0" * 300_000
    content = {
        "wanted": gzip.compress(packed({"a": bomb})),
        "other": gzip.compress(packed({"other": bomb})),
        "end": gzip.compress(packed() + bomb),
        "gzip files": gzip.compress(packed()) + gzip.compress(b"") * 100,
    }[place]
    with pytest.raises(LimitExceededError):
        read(path, content)


@pytest.mark.parametrize(
    "records",
    [b"30 path=x\n", b"0 path=x\n", b"-9 path=x\n", b"path", b"9" * 100, b"11 size=-1\n"],
)
def test_members_refuses_damaged_pax_headers(records: bytes, path: Path) -> None:
    content = pax_header(len(records)) + records.ljust(512, b"\0") + packed()
    with pytest.raises(ValueError, match="pax"):
        read(path, content)


def test_members_refuses_a_damaged_checksum(path: Path) -> None:
    content = bytearray(gzip.compress(packed()))
    content[-8] ^= 1
    with pytest.raises(ValueError, match="check"):
        read(path, bytes(content))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.99])
def test_members_reports_a_truncated_gzip_file(share: float, path: Path) -> None:
    content = gzip.compress(packed())
    with pytest.raises(EOFError):
        read(path, content[: int(share * len(content))])
