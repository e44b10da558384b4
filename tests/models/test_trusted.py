"""The user's list of trusted code: private, outside of workspaces, and never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eyetune.errors import EyetuneWarning, WorkspaceError
from eyetune.models.trusted import LIST_VARIABLE, grant, granted, is_trusted, list_path, remember

ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a list that does not exist yet; the process trusts nothing."""
    path = tmp_path / "data" / "list.txt"
    monkeypatch.setenv(LIST_VARIABLE, str(path))
    monkeypatch.setattr("eyetune.models.trusted._granted", set())
    return path


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continue like another process."""
    monkeypatch.setattr("eyetune.models.trusted._granted", set())


def test_remember_writes_a_private_list(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_trusted(ONE)
    remember(ONE, "one.py:build\n" + TWO)
    remember(TWO[:-1] + "0", "another")
    remember(ONE, "again")
    forget(monkeypatch)
    assert is_trusted(ONE)
    assert not is_trusted(TWO)  # a name cannot add a line
    assert path.read_text().count(ONE) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_deleted_line_is_not_trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(ONE, "one")
    remember(TWO, "two")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if ONE not in line))
    forget(monkeypatch)
    assert (is_trusted(ONE), is_trusted(TWO)) == (False, True)


def test_list_that_others_can_write_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(ONE, "one")
    path.chmod(0o666)
    forget(monkeypatch)
    with pytest.raises(WorkspaceError, match="666"):
        is_trusted(ONE)


def test_grant_is_for_this_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grant([THREE])
    assert is_trusted(THREE)
    assert granted() == {THREE}
    assert not path.exists()
    forget(monkeypatch)
    assert not is_trusted(THREE)


def test_remember_warns_if_the_list_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.write_text("a file, where the folder should be")
    with pytest.warns(EyetuneWarning):
        remember(ONE, "one")
    assert is_trusted(ONE)


def test_list_is_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(LIST_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert list_path().is_absolute()
    assert "eyetune" in str(list_path())
    assert not list_path().is_relative_to(os.environ["EYETUNE_WORKSPACE"])
