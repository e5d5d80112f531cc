"""Reads YAML files written by operators, with clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

# A day that no month has (2026-02-30) and bytes that are no UTF-8 are ValueErrors.
UNREADABLE: Final = (OSError, ValueError, RecursionError, yaml.YAMLError)


def read_yaml(path: Path) -> Any:
    """Return what a file says; raises what is in UNREADABLE."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
