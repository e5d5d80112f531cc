"""Become a program of the suite: `launch.py run/gateway.json`.

The supervisor starts this instead of the program, so that secrets stay out of its configuration, values need no
quoting, and log lines go straight to the file without costing the supervisor's time. The process id stays the same.
"""

import json
import os
import sys
from pathlib import Path

ROTATE_AT_BYTES = 20_000_000


def main(description_file: str) -> None:
    """Replace this process by the described one."""
    described = json.loads(Path(description_file).read_text())
    log = Path(described["log"])
    if log.exists() and log.stat().st_size > ROTATE_AT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    os.chdir(described["directory"])
    command = described["command"]
    os.execvpe(command[0], command, described["environment"])


if __name__ == "__main__":
    main(sys.argv[1])
