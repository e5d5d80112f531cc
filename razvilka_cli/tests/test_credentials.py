"""Where credentials are kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from razvilka_cli.credentials import (
    IN_KEYRING,
    Login,
    StoredKey,
    find_credential,
    forget_credential,
    keep_credential,
)
from razvilka_cli.errors import Failure

URL = "https://llm.example.com"
LOGIN = Login("razvilka-cli", "a", "r", 1.0, "models:read")


class Locked(Protocol):
    """What a test does to a keyring."""

    kept: dict[tuple[str, str], str]
    locked: bool


def memory_keyring() -> Any:
    """Return a keyring as an operating system has it. `locked`: nobody opens it.

    A class of keyrings offers itself to the library from its definition on: it is made once the library has chosen.
    """

    class MemoryKeyring(KeyringBackend):
        priority = 5.0

        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[tuple[str, str], str] = {}
            self.locked = False

        def get_password(self, service: str, username: str) -> str | None:
            self._open()
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self._open()
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            self._open()
            if self.kept.pop((service, username), None) is None:
                raise PasswordDeleteError

        def _open(self) -> None:
            if self.locked:
                raise RuntimeError("locked")

    return MemoryKeyring()


@pytest.fixture
def memory() -> Iterator[Locked]:
    """A keyring in force."""
    before, made = keyring.get_keyring(), memory_keyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def no_keyring() -> Iterator[None]:
    """A machine without a keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("no_keyring")
def test_without_a_keyring_a_file_of_the_owners_alone_keeps_them(home: Path) -> None:
    """Each at its gateway, and gone when it is forgotten."""
    kept_in = keep_credential(URL, LOGIN)
    keep_credential("http://other", StoredKey("k"))

    assert kept_in == str(home / "credentials.json")
    assert (home / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert (find_credential(URL), find_credential("http://other")) == (LOGIN, StoredKey("k"))
    forget_credential(URL)
    assert (find_credential(URL), find_credential("http://other")) == (None, StoredKey("k"))


def test_a_keyring_keeps_them_and_no_file_does(memory: Locked, home: Path) -> None:
    """What a file had of the gateway before leaves it."""
    memory.locked = True
    in_file = keep_credential(URL, StoredKey("old"))
    memory.locked = False

    assert in_file != IN_KEYRING
    assert keep_credential(URL, LOGIN) == IN_KEYRING
    assert find_credential(URL) == LOGIN
    assert "old" not in (home / "credentials.json").read_text()
    forget_credential(URL)
    assert find_credential(URL) is None
    assert memory.kept == {}


@pytest.mark.parametrize("text", ["[]", '{"https://llm.example.com": 7}', '{"https://llm.example.com": {}}'])
@pytest.mark.usefixtures("no_keyring")
def test_what_is_no_credential_is_none(home: Path, text: str) -> None:
    """Whoever wrote it there."""
    home.mkdir()
    (home / "credentials.json").write_text(text)

    assert find_credential(URL) is None


@pytest.mark.usefixtures("no_keyring")
def test_a_damaged_file_is_named(home: Path) -> None:
    """It is not written over: something of worth may be in it."""
    home.mkdir()
    (home / "credentials.json").write_text("nonsense")

    with pytest.raises(Failure, match=r"credentials\.json cannot be read"):
        keep_credential(URL, LOGIN)
    assert (home / "credentials.json").read_text() == "nonsense"
