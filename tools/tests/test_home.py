"""The folder of one suite."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from tools.private_file import write_private
from tools.stack import home as home_module
from tools.stack.errors import StackError
from tools.stack.home import REPOSITORY, Home, home_of


def test_the_folder_is_named_by_the_environment_or_is_in_the_checkout(tmp_path):
    """RAZVILKA_HOME moves the suite, so that two can run side by side."""
    assert home_of({"RAZVILKA_HOME": str(tmp_path)}).root == tmp_path
    assert home_of({}).root == REPOSITORY / ".razvilka"


def test_a_full_disk_is_one_clear_line(monkeypatch, tmp_path):
    """How much is free, how much is needed, and where."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10, 10, 5 * 2**20))

    with pytest.raises(StackError, match="the disk is full: 5 MB free") as raised:
        Home(tmp_path / "home").prepare()

    assert "\n" not in str(raised.value)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    """A file in the way, a read-only disk: the path and what to do."""
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match=r"cannot write to .*file/home.*RAZVILKA_HOME"):
        Home(tmp_path / "file" / "home").prepare()


def test_secrets_are_only_for_their_owner(tmp_path):
    """Also when the file was there before with wider rights."""
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)

    write_private(file, "new")

    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_socket_moves_when_the_folder_is_too_deep():
    """A Unix socket's path is short by law; the folder's need not be."""
    deep = Home(Path("/tmp") / ("d" * 120))
    other = Home(Path("/tmp") / ("e" * 120))

    assert len(str(deep.socket)) < home_module.LONGEST_SOCKET_PATH
    assert deep.socket != other.socket
