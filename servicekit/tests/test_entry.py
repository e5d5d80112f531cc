"""What every service does before it serves."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

ENTER: Final = """
import gc, sys
from servicekit import entry
async def serve():
    print(gc.get_threshold()[0], gc.get_freeze_count() > 1000)
sys.argv = ["x", "serve"]
entry.run("test", serve)
"""


def test_garbage_is_looked_for_a_little_at_a_time() -> None:
    """A look at 20,000 young objects held up every request for 10 to 20 ms; what was imported is not looked at."""
    said = subprocess.run([sys.executable, "-c", ENTER], capture_output=True, text=True, check=True)

    threshold, frozen = said.stdout.split()
    assert 1000 <= int(threshold) <= 5000
    assert frozen == "True"
