"""A suite of its own for one run: own home, own ports, and what a measurement needs to know of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.accounts.demo import Demo
from tools.servers.ports import free_port
from tools.stack.down import bring_down
from tools.stack.environments import NO_WAITING
from tools.stack.home import Home
from tools.stack.up import Stack, bring_up, describe

UPSTREAM_KEY: Final = "bench-upstream-key"
UPSTREAMS: Final = """\
upstreams:
  - name: bench
    base_url: http://127.0.0.1:{port}/v1
    api_key_env: BENCH_UPSTREAM_KEY
    models:
      - id: bench-model
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
      - id: bench-model-30ms
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """A running suite."""

    stack: Stack
    demo: Demo
    upstream_url: str

    def pids(self) -> dict[str, int]:
        """Return the process of every program that runs now."""
        return {state.name: state.pid for state in self.stack.supervisor.states() if state.state == "RUNNING"}


@contextmanager
def running_suite(
    root: Path, environment: Mapping[str, str] | None = None, *, more_upstreams: str = ""
) -> Iterator[Suite]:
    """Bring up everything for the block, with a minimal upstream beside the emulator, and take it down after it.

    `more_upstreams` are further entries of the file of upstreams.
    """
    home = Home(root.resolve())
    home.prepare()
    port = free_port()
    upstreams = home.root / "upstreams.yaml"
    upstreams.write_text(UPSTREAMS.format(port=port) + more_upstreams)
    caller = os.environ | {
        "RAZVILKA_PORT": str(free_port()),
        "RAZVILKA_UPSTREAMS": str(upstreams),
        "BENCH_UPSTREAM_KEY": UPSTREAM_KEY,
        **NO_WAITING,
        **(environment or {}),
    }
    upstream = subprocess.Popen([sys.executable, "-m", "bench.upstream", str(port)])
    try:
        stack = describe(home, caller)
        yield Suite(stack, bring_up(stack, lambda _: None), f"http://127.0.0.1:{port}/v1")
    finally:
        bring_down(home)
        upstream.terminate()
        upstream.wait()
