"""What every service does before it serves."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

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


REFUSED: Final = """
import sys
from pathlib import Path
from servicekit import entry, telemetry
from servicekit.rpc_server import running_server
from servicekit.settings import GrpcSettings, MetricsSettings, TlsSettings
from servicekit.trust.callers import CallPolicy
async def serve():
    {serve}
async def listen(grpc, tls):
    async def ready():
        return True
    async with running_server(grpc, lambda server: None, ready, CallPolicy({{}}), tls):
        pass
sys.argv = ["x", "serve"]
entry.run("test", serve)
"""


@pytest.mark.parametrize(
    ("serve", "named"),
    [
        (
            "telemetry.serve_metrics(MetricsSettings(host='192.0.2.1', port=9090))",
            "TEST_METRICS_HOST, TEST_METRICS_PORT: cannot listen on 192.0.2.1:9090: ",
        ),
        (
            "await listen(GrpcSettings(host='192.0.2.1', port=50051), TlsSettings())",
            "TEST_GRPC_HOST, TEST_GRPC_PORT: cannot listen on 192.0.2.1:50051: ",
        ),
        (
            "await listen(GrpcSettings(), TlsSettings(dir=Path('/nowhere')))",
            "TEST_TLS_DIR: /nowhere/tls.crt: No such file or directory",
        ),
    ],
)
def test_what_cannot_be_listened_on_or_shown_ends_the_start_by_its_setting(serve: str, named: str) -> None:
    """It was a traceback that named no variable."""
    said = subprocess.run([sys.executable, "-c", REFUSED.format(serve=serve)], capture_output=True, text=True)

    assert said.returncode == 1
    last = said.stderr.strip().splitlines()[-1]
    assert last.startswith(named)
    assert "Traceback" not in said.stderr
