"""Files of others are compared with their packages, by name."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tools.assets import VENDORED, differences, said_of


def test_every_folder_says_what_it_is_from() -> None:
    """Package, version, and every file's SHA-256."""
    for folder in VENDORED.iterdir():
        package, version, digests = said_of(folder)
        assert package
        assert version[0].isdigit()
        assert digests


def test_a_file_that_is_not_the_packages_is_named(tmp_path: Path) -> None:
    """Whether it was changed here or says something else there."""
    digest = sha256(b"sound").hexdigest()
    (tmp_path / "README.md").write_text(f"The npm package `a`. Version 1.2.3.\n\n| `a.js` | `{digest}` |\n")
    (tmp_path / "a.js").write_bytes(b"sound")

    assert list(differences(tmp_path, {"a.js": b"sound"})) == []
    assert [said.rpartition(" is ")[2] for said in differences(tmp_path, {"a.js": b"other"})] == ["not the package's"]
    (tmp_path / "a.js").write_bytes(b"changed")
    assert len(list(differences(tmp_path, {"a.js": b"sound"}))) == 2


def test_a_folder_that_says_nothing_is_named(tmp_path: Path) -> None:
    """With what it must say."""
    (tmp_path / "README.md").write_text("Some files.")

    with pytest.raises(ValueError, match="must name the npm package"):
        said_of(tmp_path)
