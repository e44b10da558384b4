from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from eyetune.inputs.limits import Limit, LimitExceededError
from eyetune.inputs.regular_file import NotAFileError, check_file, open_file, read_bytes, read_text

LIMIT = Limit("EYETUNE_MAX_TEST", 10, "bytes", "Bytes in a test.")


def named_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def unix_socket(folder: Path) -> Path:
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # the length of such an address is limited
    return path


SPECIAL: dict[str, Callable[[Path], Path]] = {
    "a named pipe": named_pipe,
    "a socket": unix_socket,
    "a folder": lambda folder: folder,
    "a device": lambda _: Path("/dev/zero"),
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", SPECIAL)
def test_open_file_refuses_special_files_at_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = SPECIAL[kind](tmp_path)
    with pytest.raises(OSError, match=path.name):  # a socket cannot even be opened
        open_file(path)
    with pytest.raises(NotAFileError) as caught:
        check_file(path)
    assert kind in str(caught.value.strerror)


def test_open_file_follows_a_link_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    with open_file(tmp_path / "link") as file:
        assert file.read() == b"content"


@pytest.mark.timeout(10)
def test_open_file_refuses_a_link_to_a_named_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(named_pipe(tmp_path))
    with pytest.raises(NotAFileError):
        open_file(tmp_path / "link")


def test_open_file_leaves_no_file_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        with pytest.raises(NotAFileError):
            open_file(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_read_bytes_refuses_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert read_bytes(path, LIMIT) == b"x" * 10
    with path.open("ab") as file:
        file.truncate(2**40)  # a sparse file: it takes no room
    with pytest.raises(LimitExceededError):
        read_bytes(path, LIMIT)


def test_read_bytes_refuses_a_file_that_hides_its_size() -> None:
    with pytest.raises(LimitExceededError):
        read_bytes(Path("/proc/self/status"), LIMIT)


def test_read_text_translates_line_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "file", LIMIT) == "a\nb\nc\n"
