"""How root starts PostgreSQL, which refuses to run as root.

In a user namespace the process believes to be user 1000 while its files stay root's: nothing is copied, no account is
made and a project under /root works. Where namespaces are forbidden the server runs as `nobody` with setpriv, and then
the programs and the data must be where `nobody` can reach them.
"""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.servers.errors import ServerError

NOBODY_UID: Final = 65534
COPIES: Final = Path("/var/tmp")


@dataclass(frozen=True, slots=True)
class Demotion:
    """What to put before a server's command line, and who must own its files (None: whoever does now)."""

    prefix: tuple[str, ...] = ()
    owner_uid: int | None = None

    def own(self, path: Path) -> None:
        """Give a file or folder to the user the server runs as."""
        if self.owner_uid is not None:
            os.chown(path, self.owner_uid, self.owner_uid)

    def may(self, access: str, path: Path) -> bool:
        """Say whether the server's user has an access ("-x", "-w") to the path."""
        try:
            command = (*self.prefix, "test", access, str(path))
            return subprocess.run(command, cwd="/", capture_output=True, timeout=10, check=False).returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False


NAMESPACE: Final = Demotion(("unshare", "--user", "--map-user=1000", "--map-group=1000"))
AS_NOBODY: Final = Demotion(("setpriv", f"--reuid={NOBODY_UID}", f"--regid={NOBODY_UID}", "--clear-groups"), NOBODY_UID)


def choose(data_dir: Path) -> Demotion:
    """Return how a PostgreSQL with this (existing) data folder must be started by whoever runs this.

    Raises:
        ServerError: this is root and no way to leave root can write to the folder.
    """
    if os.geteuid() != 0:
        return Demotion()
    for way in (NAMESPACE, AS_NOBODY):
        if way.may("-x", Path("/")) and _owned_and_writable(way, data_dir):
            return way
    raise ServerError(
        f"PostgreSQL refuses to run as root and another user cannot write to {data_dir}: "
        "run as an ordinary user, or set RAZVILKA_HOME to a folder such as /var/tmp/razvilka"
    )


def _owned_and_writable(way: Demotion, folder: Path) -> bool:
    before = folder.stat()
    way.own(folder)
    if way.may("-w", folder):
        return True
    os.chown(folder, before.st_uid, before.st_gid)
    return False


def reachable_programs(bin_dir: Path, way: Demotion) -> Path:
    """Return the folder itself, or a copy of its whole installation that the server's user can execute."""
    if way.may("-x", bin_dir / "postgres"):
        return bin_dir
    package = bin_dir.parent.parent
    version = hashlib.sha256(f"{bin_dir} {(bin_dir / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    target = COPIES / f"razvilka-postgres-{version}"
    if not (target / "complete").exists():
        _copy_installation(package, target)
    if target.stat().st_uid != os.geteuid():
        raise ServerError(f"{target} belongs to somebody else: remove it")
    return target / bin_dir.relative_to(package.parent)


def _copy_installation(package: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o755)
    # The wheel's programs find libpq by a path relative to themselves, so the sibling *.libs must come along.
    for folder in package.parent.glob(f"{package.name}*"):
        if folder.suffix != ".dist-info":
            shutil.copytree(folder, target / folder.name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
    (target / "complete").touch()
