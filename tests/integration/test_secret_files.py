"""Files with secrets are their owner's only."""

from __future__ import annotations

import os

from tools.stack.running_stack import RunningStack


def test_files_with_secrets_are_their_owners_only(stack: RunningStack) -> None:
    """Settings files, generated secrets and the demo keys: mode 0600."""
    root = stack.parts.home.root
    for file in (root / "secrets.json", root / "demo.env", *(root / "run").glob("*.json")):
        if file.name != "ports.json":
            assert os.stat(file).st_mode & 0o077 == 0, file
