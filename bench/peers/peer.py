"""What is known of a gateway that is measured: what it does for an answer, how it is started, how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.cases import PLAIN

MODEL: Final = PLAIN.model


@dataclass(frozen=True, slots=True)
class Place:
    """What a gateway is told before it starts."""

    port: int
    upstream_url: str
    upstream_key: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Program:
    """A gateway that is ready to be started, and how a request to it looks."""

    version: str
    command: list[str]
    environment: dict[str, str]
    key: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway by its name; `prepare` installs it and raises NotInstalledError where that cannot be."""

    name: str
    does: str
    prepare: Callable[[Place], Program]
