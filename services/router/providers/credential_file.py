"""Further credentials of a provider, read from a YAML file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError

from servicekit.settings import Part
from services.router.yaml_files import UNREADABLE, read_yaml

P = TypeVar("P", bound=Part)


def with_further(settings: P, file: Path | None, own: frozenset[str], variable: str) -> list[P]:
    """Return the settings of every credential, the first one's first.

    Args:
        settings: of the provider, with its first credential.
        file: where the others stand; None: there are none.
        own: settings that each credential has of its own; all others are the same.
        variable: that names the file.

    Raises:
        SystemExit: the file is not what it should be; the message names entry and field, and no secret.
    """
    if file is None:
        return [settings]
    shared = {name: value for name, value in settings if name not in own}
    found = _entries(file, variable)
    return [settings, *(_entry(settings, shared, given, own, f"{variable}: {at}") for at, given in found)]


def _entries(file: Path, variable: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        read = read_yaml(file)
    except UNREADABLE as exc:
        # What YAML says of a mistake would quote the line, and with it a key.
        raise SystemExit(f"{variable}: cannot be read as YAML ({type(exc).__name__})") from None
    if not isinstance(read, list) or not all(isinstance(entry, dict) for entry in read):
        raise SystemExit(f"{variable}: must be a list of credentials")
    return [(f"entry {number}", entry) for number, entry in enumerate(read, 1)]


def _entry(settings: P, shared: Mapping[str, Any], given: Mapping[str, Any], own: frozenset[str], where: str) -> P:
    if strange := sorted(map(str, given.keys() - own)):
        raise SystemExit(f"{where}: '{strange[0]}' is none of {', '.join(sorted(own))}")
    try:
        return type(settings).model_validate({**shared, **given})
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise SystemExit(f"{where}: {field}: {first['msg']}" if field else f"{where}: {first['msg']}") from None


def credential_name(*parts: str | SecretStr | None) -> str:
    """Return a name by which replicas know a credential, and nobody else can use it."""
    told = [part.get_secret_value() if isinstance(part, SecretStr) else part or "" for part in parts]
    return hashlib.blake2b("\0".join(told).encode(), digest_size=6).hexdigest()
