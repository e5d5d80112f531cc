"""Where the contract is looked for: at the address that is named, else in a suite that a 1.0 database was moved to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.compat.release_1_0.moved import Moved, move

URL: Final = os.environ.get("COMPAT_URL", "")
KEY: Final = os.environ.get("COMPAT_KEY", "")


@dataclass(frozen=True, slots=True)
class Target:
    """A system that should keep the contract; `is_emulated`: its providers fail when they are told to."""

    url: str
    key: str
    is_emulated: bool


def _stop(text: str) -> None:
    pytest.exit(text, returncode=pytest.ExitCode.USAGE_ERROR)


if URL:

    @pytest.fixture(scope="package")
    def target() -> Target:
        """Return the address that was named; nothing else is started."""
        if not KEY:
            _stop("COMPAT_KEY is missing: give an API key of the system at COMPAT_URL.")
        try:
            httpx.get(URL, timeout=10)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            _stop(f"COMPAT_URL: nothing answers at {URL} ({exc}): give an address like https://llm.example.ru.")
        return Target(URL.rstrip("/"), KEY, os.environ.get("COMPAT_EMULATED") == "1")

else:

    @pytest.fixture(scope="package")
    def target(stack: Any, moved: Moved) -> Target:
        """Return the running suite, and a key that was made by release 1.0."""
        return Target(stack.url, moved.payer.key, is_emulated=True)


@pytest.fixture(scope="package")
def moved(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Moved:
    """Move a database of 1.0 into the running suite."""
    folder: Path = tmp_path_factory.mktemp("release-1-0")
    return move(stack, folder)
