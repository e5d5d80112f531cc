"""Nothing of whoever runs the tests counts, and nothing of theirs is touched."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what the program keeps."""
    for name in ("RAZVILKA_URL", "RAZVILKA_API_KEY", "RAZVILKA_CLI_PROFILE", "RAZVILKA_MODEL", "RAZVILKA_CLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAZVILKA_CLI_HOME", str(tmp_path / "kept"))
    return tmp_path / "kept"
