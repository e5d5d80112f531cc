"""What probes are asked with."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.tests.backends import KEY


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a file with a key that works."""
    file = tmp_path / "probes.key"
    file.write_text(f"{KEY}\n")
    return file
