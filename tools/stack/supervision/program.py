"""One process of the suite and the file it is started from."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from tools.private_file import write_private
from tools.stack.home import Home


@dataclass(frozen=True, slots=True)
class Program:
    """A process the supervisor keeps alive.

    `stop_wait_s` is how long it may take to end in order; `stage` orders the start, and backwards the stop.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(repr=False)
    directory: Path
    stage: int
    stop_signal: str = "TERM"
    stop_wait_s: int = 40

    def write(self, home: Home) -> Path:
        """Write what `launch.py` starts the process from, and return that file."""
        file = home.run / f"{self.name}.json"
        write_private(file, self._text(home))
        return file

    def digest(self, home: Home) -> str:
        """Return what changes when the process must be restarted to follow its settings."""
        return hashlib.sha256(self._text(home).encode()).hexdigest()[:16]

    def _text(self, home: Home) -> str:
        described = {
            "command": self.command,
            "environment": self.environment | {"RAZVILKA_STACK": str(home.root)},
            "directory": str(self.directory),
            "log": str(home.log(self.name)),
        }
        return json.dumps(described, indent=2, sort_keys=True)
