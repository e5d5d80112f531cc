"""The folder of one running suite: data, logs, chosen ports and generated secrets."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.stack.errors import StackError

REPOSITORY: Final = Path(__file__).parents[2]
# A fresh PostgreSQL takes 40 MB and its write-ahead log grows to about 100 before the first recycling.
NEEDED_MB: Final = 300
ELSEWHERE: Final = "set RAZVILKA_HOME to another folder"
# sockaddr_un holds 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH: Final = 100


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of one suite."""

    root: Path

    @property
    def logs(self) -> Path:
        """Return the folder with one log per program."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Return the folder with what the supervisor and the programs are started from."""
        return self.root / "run"

    @property
    def postgres(self) -> Path:
        """Return PostgreSQL's data folder."""
        return self.root / "postgres"

    @property
    def redis(self) -> Path:
        """Return Redis's data folder."""
        return self.root / "redis"

    @property
    def tls(self) -> Path:
        """Return the folder with a folder of certificates for each service."""
        return self.root / "tls"

    @property
    def redis_users(self) -> Path:
        """Return the file with Redis's users and what each may do."""
        return self.root / "redis-users.acl"

    @property
    def demo_env(self) -> Path:
        """Return the file with the demo address and keys."""
        return self.root / "demo.env"

    @property
    def probe_key(self) -> Path:
        """Return the file with the key that pays for probes."""
        return self.root / "probes.key"

    @property
    def socket(self) -> Path:
        """Return the supervisor's control socket, elsewhere when the folder's own path is too long for one."""
        own = self.run / "supervisor.sock"
        if len(os.fsencode(own)) < LONGEST_SOCKET_PATH:
            return own
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"razvilka-{os.getuid()}-{name}.sock"

    def log(self, program: str) -> Path:
        """Return a program's log."""
        return self.logs / f"{program}.log"

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            StackError: there is no room or no permission.
        """
        try:
            for folder in (self.root, self.logs, self.run):
                folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            free_mb = shutil.disk_usage(self.root).free // 2**20
        except OSError as exc:
            raise StackError(f"cannot write to {self.root}: {exc.strerror}; {ELSEWHERE}") from exc
        if not os.access(self.root, os.W_OK):
            raise StackError(f"cannot write to {self.root}: {ELSEWHERE}")
        if free_mb < NEEDED_MB:
            raise StackError(
                f"the disk is full: {free_mb} MB free at {self.root}, {NEEDED_MB} needed; "
                "make room or set RAZVILKA_HOME to another disk"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one `up` or `down` of this folder run at a time; the second waits."""
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def home_of(environment: Mapping[str, str]) -> Home:
    """Return the folder that RAZVILKA_HOME names, or `.razvilka` of this checkout."""
    named = environment.get("RAZVILKA_HOME")
    return Home(Path(named).expanduser().resolve() if named else REPOSITORY / ".razvilka")


def read_json(path: Path) -> dict[str, str]:
    """Return the file's object with all its values as text, {} when there is no such file."""
    try:
        return {str(name): str(value) for name, value in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
