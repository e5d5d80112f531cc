"""A journal folder that cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from services.gateway.metering.journal.folder import check_journal_dir


def test_a_journal_path_that_cannot_be_used_ends_in_one_line(tmp_path):
    """Not in a traceback: the variable, the reason, the remedy."""
    (tmp_path / "file").write_text("")
    environment = {
        **os.environ,
        "GATEWAY_JOURNAL_DIR": f"{tmp_path}/file/journal",
        "GATEWAY_REDIS_URL": "redis://127.0.0.1:1",
    }

    ended = subprocess.run(
        [sys.executable, "-m", "services.gateway", "serve"],
        env={**environment, "GATEWAY_METRICS_PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in ended.stderr.splitlines() if line.strip()]
    assert ended.returncode == 1
    assert said == [
        f"GATEWAY_JOURNAL_DIR={tmp_path}/file/journal: Not a directory; name a folder that this user can write"
    ]


def test_a_usable_folder_is_left_as_it_was(tmp_path):
    """The trial file is gone again."""
    check_journal_dir(tmp_path / "journal")

    assert list((tmp_path / "journal").iterdir()) == []


def test_a_folder_without_write_permission_is_named(tmp_path):
    """As far as the user of this test can tell: root may write everywhere."""
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)

    with pytest.raises(SystemExit, match="Permission denied"):
        check_journal_dir(tmp_path)
