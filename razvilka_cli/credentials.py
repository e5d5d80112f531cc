"""Where credentials are kept: the keyring of the operating system, or a file of their owner's alone.

Each belongs to the address of a gateway and is sent nowhere else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from razvilka_cli.errors import Failure, Status
from razvilka_cli.profiles import home, write_private

SERVICE: Final = "razvilka"
FILE: Final = "credentials.json"
LOCK: Final = "lock"
IN_KEYRING: Final = "the keyring"


@dataclass(frozen=True, slots=True)
class Login:
    """Tokens of a person; `expires_at` in Unix seconds, of the access token."""

    client_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: float
    scope: str


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key that stands in for a login."""

    key: str = field(repr=False)


Credential = Login | StoredKey


def find_credential(url: str) -> Credential | None:
    """Return what is kept for a gateway."""
    kept = _from_keyring(url) or _read_file().get(url)
    if not isinstance(kept, dict):
        return None
    try:
        return StoredKey(**kept) if "key" in kept else Login(**kept)
    except TypeError:
        return None


def keep_credential(url: str, credential: Credential) -> str:
    """Keep it instead of what was kept, and return where."""
    if _to_keyring(url, json.dumps(asdict(credential))):
        _write_file({name: each for name, each in _read_file().items() if name != url})
        return IN_KEYRING
    _write_file({**_read_file(), url: asdict(credential)})
    return str(home() / FILE)


def forget_credential(url: str) -> None:
    """Keep nothing for a gateway."""
    keyring = _keyring()
    if keyring is not None:
        # There is none, or the keyring is locked: nothing is left that could be used.
        with contextlib.suppress(Exception):
            keyring.delete_password(SERVICE, url)
    _write_file({name: each for name, each in _read_file().items() if name != url})


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Keep other runs of the program waiting: a refresh token is good for one use."""
    try:
        import fcntl
    except ImportError:  # Windows: the server's grace for racing refreshes must do
        yield
        return
    path = home() / LOCK
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _keyring() -> Any:
    """Return the keyring library when it has somewhere to keep things, else None."""
    try:
        import keyring

        return keyring if keyring.get_keyring().priority > 0 else None
    except Exception:  # not installed, or its backend cannot even start
        return None


def _from_keyring(url: str) -> Any:
    keyring = _keyring()
    # Locked, or somebody else's text.
    with contextlib.suppress(Exception):
        kept = keyring.get_password(SERVICE, url) if keyring else None
        return json.loads(kept) if kept else None
    return None


def _to_keyring(url: str, text: str) -> bool:
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(SERVICE, url, text)
    except Exception:  # each backend has its own errors; the file will do
        return False
    return True


def _read_file() -> dict[str, Any]:
    path = home() / FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        fix = "Move it away and log in again."
        raise Failure(f"{path} cannot be read: {exc}.", Status.CREDENTIAL, code="config", fix=fix) from exc
    return said if isinstance(said, dict) else {}


def _write_file(kept: dict[str, Any]) -> None:
    if kept or (home() / FILE).exists():
        write_private(home() / FILE, json.dumps(kept, indent=1))
