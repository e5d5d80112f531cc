"""An earlier commit as it was released: a worktree of its own with its own packages."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.rolling_restart.fleet import Tree
from tools.stack.errors import StackError
from tools.stack.home import REPOSITORY

# Without a release's tag: so many commits of the main line ago.
COMMITS_BACK: Final = 20
# What a caller of `make` must not hand on to the other tree.
OF_OURS: Final = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "VIRTUAL_ENV", "PYTHONPATH", "GIT_DIR", "GIT_WORK_TREE")


def default_reference() -> str:
    """Return the newest release's tag; where there is none, a commit of the main line some way back."""
    tag = _git(["describe", "--tags", "--abbrev=0", "--match", "v*"], may_fail=True)
    return tag or f"HEAD~{COMMITS_BACK}"


@contextmanager
def checked_out(reference: str, folder: Path) -> Iterator[Tree]:
    """Yield the tree of a commit, with its packages, below `folder`; afterwards it is gone.

    Raises:
        StackError: there is no such commit here, or its packages cannot be installed.
    """
    commit = _git(["rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}"], may_fail=True)
    if not commit:
        raise StackError(f"--from {reference} names no commit of this clone: give a tag or a commit, or fetch it first")
    root = folder / f"release-{commit[:12]}"
    _forget(root)
    _git(["worktree", "add", "--detach", "--force", str(root), commit])
    try:
        _run(["make", "-s", "-C", str(root), "setup"], f"the packages of {reference} cannot be installed")
        yield Tree(root, str(root / ".venv" / "bin" / "python"))
    finally:
        _forget(root)


def describe_commit(tree: Tree) -> str:
    """Return its short name, date and subject."""
    return _git(["-C", str(tree.root), "log", "-1", "--format=%h of %cs, %s"])


def _forget(root: Path) -> None:
    if root.exists():
        _git(["worktree", "remove", "--force", "--force", str(root)])
    _git(["worktree", "prune"])


def _git(words: Sequence[str], *, may_fail: bool = False) -> str:
    return _run(["git", *words], f"git {words[0]} failed", may_fail=may_fail)


def _run(command: Sequence[str], failure: str, *, may_fail: bool = False) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in OF_OURS}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and not may_fail:
        raise StackError(f"{failure}: {(done.stderr or done.stdout).strip()[-500:]}")
    return "" if done.returncode else done.stdout.strip()
