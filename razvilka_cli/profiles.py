"""The file of profiles: gateways by name.

```toml
default = "work"

[profiles.work]
url = "https://llm.example.com"
model = "gigachat-pro"
```
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click

from razvilka_cli.errors import Failure, Status

HOME_VARIABLE: Final = "RAZVILKA_CLI_HOME"
FILE: Final = "config.toml"
FIRST: Final = "default"
_FIELDS: Final = frozenset({"url", "model", "client_id"})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Profile:
    """A gateway, the model that `chat` asks there, the OAuth client that people log in by; empty: the usual ones.

    `others`: what a newer program has written beside.
    """

    url: str
    model: str = ""
    client_id: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profiles:
    """All of them, and the name of the one that is meant when none is named."""

    default: str = ""
    by_name: Mapping[str, Profile] = field(default_factory=dict)

    def named(self, name: str) -> Profile:
        """Return a profile.

        Raises:
            Failure: there is none of that name.
        """
        found = self.by_name.get(name)
        if found is None:
            raise Failure(f"There is no profile {name!r}.", Status.USAGE, fix="`razvilka profiles list` shows them.")
        return found

    def with_profile(self, name: str, profile: Profile) -> Profiles:
        """Return them with one more, or one changed; the first is the default."""
        check_name(name)
        return replace(self, default=self.default or name, by_name={**self.by_name, name: profile})

    def without(self, name: str) -> Profiles:
        """Return them without one."""
        self.named(name)
        left = {each: profile for each, profile in self.by_name.items() if each != name}
        return Profiles("" if self.default == name else self.default, left)


def check_name(name: str) -> None:
    """Do nothing when this can name a profile.

    Raises:
        Failure: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise Failure(f"{name!r} cannot name a profile.", Status.USAGE, fix="Use letters, digits, - and _.")


def home() -> Path:
    """Return the folder of everything that the program keeps."""
    given = os.environ.get(HOME_VARIABLE)
    return Path(given) if given else Path(click.get_app_dir("razvilka"))


def read_profiles() -> Profiles:
    """Return what the file says; nothing when there is none.

    Raises:
        Failure: it cannot be read, or says something else.
    """
    path = home() / FILE
    try:
        return _profiles(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Profiles()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, AttributeError) as exc:
        fix = "Correct it or move it away."
        raise Failure(f"{path} cannot be read: {exc}.", Status.USAGE, code="config", fix=fix) from exc


def write_profiles(profiles: Profiles) -> None:
    """Keep them."""
    write_private(home() / FILE, _as_toml(profiles))


def write_private(path: Path, text: str) -> None:
    """Write a file that is whole at any time, and its owner's alone.

    Raises:
        Failure: it cannot be written.
    """
    if path.parts[0] == "~":
        # Nobody's home is known: a folder of that name, here, would keep credentials where nobody looks for them.
        fix = f"{HOME_VARIABLE} names a folder."
        raise Failure("There is no home folder to keep things in.", Status.USAGE, code="config", fix=fix)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError as exc:
        fix = f"{HOME_VARIABLE} names another folder."
        raise Failure(f"{path} cannot be written: {exc.strerror}.", Status.USAGE, code="config", fix=fix) from exc


def _profiles(said: Mapping[str, Any]) -> Profiles:
    by_name = {name: _profile(profile) for name, profile in said.get("profiles", {}).items()}
    for value in (said.get("default", ""), *(each for one in by_name.values() for each in texts_of(one).values())):
        if not isinstance(value, str):
            raise TypeError(f"{value!r} must be a text")
    return Profiles(said.get("default", ""), by_name)


def _profile(said: Mapping[str, Any]) -> Profile:
    others = {name: value for name, value in said.items() if name not in _FIELDS}
    return Profile(**{name: value for name, value in said.items() if name in _FIELDS}, others=others)


def texts_of(profile: Profile) -> dict[str, str]:
    """Return what this program knows of a profile, by its names in the file."""
    return {"url": profile.url, "model": profile.model, "client_id": profile.client_id}


def _as_toml(profiles: Profiles) -> str:
    lines = [f"default = {_value(profiles.default)}\n"] if profiles.default else []
    for name, profile in profiles.by_name.items():
        texts = {key: value for key, value in texts_of(profile).items() if value}
        given = [f"{_key(key)} = {_value(value)}\n" for key, value in {**texts, **profile.others}.items()]
        lines += [f"\n[profiles.{name}]\n", *given]
    return "".join(lines)


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(name)} = {_value(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # A JSON string without DEL is a TOML string; fractions, days and moments are written as Python has them.
    return json.dumps(value) if isinstance(value, str | bool) else str(value)
