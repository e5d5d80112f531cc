"""Environment variables, and files that take their place for secrets.

`AUTH_KEY_PEPPER_FILE=/run/secrets/pepper` reads `AUTH_KEY_PEPPER` from a file; RAZVILKA_SECRETS_DIR names a folder with
a file for each variable, by its name. A variable with our prefix that nothing reads is an error: a typo would silently
leave the default.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SECRETS_DIR: Final = "RAZVILKA_SECRETS_DIR"
FROM_FILE: Final = "_FILE"


class BadEnvironment(Exception):
    """Variables or files that cannot be used; one line for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_environment(environment: Mapping[str, str], prefix: str, known: frozenset[str]) -> dict[str, str]:
    """Return the values of the known variables, whether from the environment or from files.

    Args:
        environment: all of it.
        prefix: what the service's variables begin with.
        known: the names that the service reads.

    Raises:
        BadEnvironment: a name is unknown, given twice, or its file cannot be read.
    """
    given = {name: value for name, value in environment.items() if name in known}
    unknown = {name for name in environment if name.startswith(prefix)} - known
    in_files = {name for name in unknown if name.removesuffix(FROM_FILE) in known}
    named = {name.removesuffix(FROM_FILE): environment[name] for name in in_files}
    lines = [_unknown(name, known) for name in sorted(unknown - in_files)]
    lines += [f"{name} and {name}{FROM_FILE}: set one of them" for name in sorted(named) if name in given]
    files = {name: Path(path) for name, path in named.items()} | _in_folder(environment, prefix, known, lines)
    read = {name: _content(name, path, lines) for name, path in files.items()}
    if lines:
        raise BadEnvironment(lines)
    # A variable is nearer than a folder: a developer overrides one of many.
    return read | given


def read_variable(environment: Mapping[str, str], name: str) -> str:
    """Return the value of one variable, from the environment or its file; no other variable is looked at.

    Raises:
        BadEnvironment: it is given twice, or its file cannot be read.
    """
    folder = environment.get(SECRETS_DIR)
    given = {each: environment[each] for each in (name, f"{name}{FROM_FILE}") if each in environment}
    if not given and folder and (file := Path(folder) / name).is_file():
        given[f"{name}{FROM_FILE}"] = str(file)
    return read_environment(given, name, frozenset({name})).get(name, "")


def is_in_file(environment: Mapping[str, str], name: str) -> bool:
    """Tell whether the value of a variable is read from a file, which may change later."""
    if name in environment:
        return False
    folder = environment.get(SECRETS_DIR)
    return bool(environment.get(f"{name}{FROM_FILE}") or (folder and (Path(folder) / name).is_file()))


def _unknown(name: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"{name}: there is no such setting" + (f"; {near[0]}?" if near else "")


def _in_folder(environment: Mapping[str, str], prefix: str, known: frozenset[str], lines: list[str]) -> dict[str, Path]:
    folder = environment.get(SECRETS_DIR)
    if not folder:
        return {}
    if not Path(folder).is_dir():
        lines.append(f"{SECRETS_DIR}={folder}: there is no such folder")
        return {}
    ours = {file.name: file for file in Path(folder).iterdir() if file.name.startswith(prefix)}
    lines += [f"{SECRETS_DIR}: {_unknown(name, known)}" for name in sorted(ours) if name not in known]
    return {name: file for name, file in ours.items() if name in known}


def _content(name: str, path: Path, lines: list[str]) -> str:
    try:
        # Editors and `echo` end a file with a newline that is no part of the secret.
        return path.read_text().rstrip("\r\n")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        lines.append(f"{name}{FROM_FILE}={path}: {reason}")
        return ""
