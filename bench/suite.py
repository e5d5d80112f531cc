"""A suite of its own for one bench run: own home, own port, a minimal upstream beside the emulator."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UPSTREAMS: Final = """\
upstreams:
  - name: bench
    base_url: http://127.0.0.1:{port}/v1
    api_key_env: BENCH_UPSTREAM_KEY
    models:
      - id: bench-model
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """A running suite."""

    home: Path
    url: str
    key: str
    upstream_url: str


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_env(path: Path) -> dict[str, str]:
    """Read NAME=value lines."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@contextmanager
def running_suite(home: Path) -> Iterator[Suite]:
    """Bring up everything for the block and take it down after it."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    upstreams = home / "upstreams.yaml"
    upstreams.write_text(UPSTREAMS.format(port=port))
    env = os.environ | {
        "RAZVILKA_HOME": str(home),
        "RAZVILKA_PORT": str(free_port()),
        "RAZVILKA_UPSTREAMS": str(upstreams),
        "BENCH_UPSTREAM_KEY": "bench-upstream-key",
    }
    upstream = subprocess.Popen([sys.executable, "-m", "bench.upstream", str(port)])  # noqa: S603
    try:
        _stack("up", env)
        demo = read_env(home / "demo.env")
        yield Suite(home, demo["RAZVILKA_URL"], demo["RAZVILKA_API_KEY"], f"http://127.0.0.1:{port}/v1")
    finally:
        _stack("down", env)
        upstream.terminate()
        upstream.wait()


def _stack(command: str, env: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-m", "tools.stack", command], env=env, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
