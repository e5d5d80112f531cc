"""The fixture `stack`: the whole suite as real processes, started once for all tests that ask for it."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from tools.demo_account import Demo
from tools.servers import ports
from tools.stack.down import bring_down
from tools.stack.environments import DATABASE
from tools.stack.home import Home
from tools.stack.readiness import wait_until_ready
from tools.stack.up import Stack, bring_up, describe

# A developer's provider credentials must never be spent by a test.
KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
CHANGE_DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RunningStack:
    """The running suite, as tests see it."""

    demo: Demo
    parts: Stack

    @property
    def url(self) -> str:
        """Return the gateway's address, without `/v1`."""
        return self.demo.url

    @property
    def api_key(self) -> str:
        """Return the key of the demo user (enterprise tier)."""
        return self.demo.api_key

    @property
    def admin_key(self) -> str:
        """Return a key with the scope `admin`."""
        return self.demo.admin_key

    @property
    def emulator_control_url(self) -> str:
        """Return where faults are set and the ground truth is read."""
        return f"http://127.0.0.1:{self.parts.ports['EMULATOR_CONTROL_PORT']}"

    @property
    def auth_target(self) -> str:
        """Return host:port of the auth service."""
        return f"127.0.0.1:{self.parts.ports['AUTH_GRPC_PORT']}"

    @property
    def database_dsn(self) -> str:
        """Return a superuser's DSN of the suite's database."""
        return self.parts.admin_dsn(DATABASE)

    @property
    def redis_url(self) -> str:
        """Return the suite's Redis."""
        return self.parts.environments.redis_url

    def metrics_url(self, service: str) -> str:
        """Return where a service's metrics are."""
        return f"http://127.0.0.1:{self.parts.ports[f'{service.upper()}_METRICS_PORT']}/metrics"

    def log(self, program: str) -> Path:
        """Return a program's log."""
        return self.parts.home.log(program)

    def pid(self, program: str) -> int:
        """Return a program's process id, 0 when it does not run."""
        return next((each.pid for each in self.parts.supervisor.states() if each.name == program), 0)

    def kill(self, program: str) -> None:
        """SIGKILL a program; the supervisor starts it again at once."""
        os.kill(self.pid(program), signal.SIGKILL)

    def stop(self, program: str) -> None:
        """Stop a program in order and leave it stopped."""
        self.parts.supervisor.stop([program], deadline_s=CHANGE_DEADLINE_S)

    def start(self, program: str) -> None:
        """Start a stopped program."""
        self.parts.supervisor.start(program)

    def wait_until_restarted(self, program: str, killed_pid: int) -> None:
        """Return when the supervisor has replaced a killed process."""
        give_up_at = time.monotonic() + CHANGE_DEADLINE_S
        while self.pid(program) in (0, killed_pid) or not psutil.pid_exists(self.pid(program)):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{program} was not restarted")
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        """Return when the gateway says that everything can serve."""
        wait_until_ready(self.parts.home, self.parts.supervisor, self.url)


@pytest.fixture(scope="session")
def stack(servers_folder: Path) -> Iterator[RunningStack]:
    """Return the running suite: PostgreSQL, Redis, emulator and the four services, on free ports."""
    home = Home(servers_folder / "stack")
    caller = {name: value for name, value in os.environ.items() if name in KEPT}
    parts = describe(home, caller | {"RAZVILKA_PORT": str(ports.free_port())})
    try:
        yield RunningStack(bring_up(parts, lambda _step: None), parts)
    finally:
        bring_down(home)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests of the running suite in one process of a parallel run: one suite is enough for the machine."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("stack"))
            item.add_marker(pytest.mark.stack)
