"""The fixture `stack`: the whole suite as real processes, started once for all tests that ask for it.

RAZVILKA_TEST_DEMO_ENV names the `demo.env` of a suite that runs already (in containers, say): it is used instead, and
tests that must reach behind its HTTP face are skipped. Where the file has RAZVILKA_AUTH_TARGET (host:port) and
RAZVILKA_OPERATOR_TLS_DIR as well, tests make accounts and keys of their own there.

RAZVILKA_TEST_STACK_REDIS=cluster (or sentinel) gives the suite such a Redis in place of one server.
"""

import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tools.accounts.demo import Auth, demo_from, read_env_file
from tools.servers import ports
from tools.stack.down import bring_down
from tools.stack.environments import NO_WAITING
from tools.stack.home import Home
from tools.stack.redis_kinds import RedisKind, RedisServers, nobody_is_at_the_suites_own, running_redis
from tools.stack.running_stack import RunningStack
from tools.stack.up import start

# A developer's provider credentials must never be spent by a test.
KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
DEMO_ENV_VARIABLE: Final = "RAZVILKA_TEST_DEMO_ENV"
REDIS_KIND_VARIABLE: Final = "RAZVILKA_TEST_STACK_REDIS"
# Running suites at the same time: one alone waits more than it works, more than two want more than two cores.
SUITES: Final = 2
# Whose number says nothing of their cost: without these the second suite took half as long again as the first, and a
# run lasts as long as the longer one.
PLACED: Final = {
    "tests/integration/test_api_description.py": 0,
    "tests/integration/test_budgets.py": 0,
    "tests/integration/test_two_routers.py": 0,
}
# Of a test that names none itself: the first of a process waits for the start of the suite, too, and the first of a
# file for all that the file asks at once.
TIMEOUT_S: Final = 400
# The emulator's third listener, as an OpenAI-compatible upstream like any other.
UPSTREAMS: Final = """\
upstreams:
  - name: toy
    base_url: http://127.0.0.1:{port}/openai/v1
    api_key_env: TOY_UPSTREAM_KEY
    models:
      - id: toy-large
        window: 32768
        price: {{input: "0.20", output: "0.20"}}
"""


@pytest.fixture(scope="session")
def stack_environment() -> dict[str, str]:
    """Return more of the environment that `stack` is started in; the root conftest may have its own."""
    return {}


@pytest.fixture(scope="session")
def stack(servers_folder: Path, stack_environment: dict[str, str]) -> Iterator[RunningStack]:
    """Return the running suite: PostgreSQL, Redis, emulator and the four services, on free ports."""
    running = os.environ.get(DEMO_ENV_VARIABLE)
    if running:
        yield _elsewhere(Path(running))
        return
    home = Home(servers_folder / "stack")
    caller = _caller(servers_folder / "upstreams.yaml") | stack_environment
    with ExitStack() as opened:
        opened.callback(bring_down, home)
        servers = _servers(opened, home)
        parts, demo = start(home, caller | dict(servers.environment if servers else {}), lambda _step: None)
        yield RunningStack(demo, parts, redis_servers=servers)
        if servers:
            nobody_is_at_the_suites_own(parts)


def _servers(opened: ExitStack, home: Home) -> RedisServers | None:
    kind = os.environ.get(REDIS_KIND_VARIABLE)
    return opened.enter_context(running_redis(home, RedisKind(kind))) if kind else None


def _elsewhere(file: Path) -> RunningStack:
    known = read_env_file(file)
    if not known.get("RAZVILKA_URL"):
        told = f"{DEMO_ENV_VARIABLE}={file}: RAZVILKA_URL is missing; the service `demo` of Compose prints such a file"
        raise pytest.UsageError(told)
    target, folder = known.get("RAZVILKA_AUTH_TARGET"), known.get("RAZVILKA_OPERATOR_TLS_DIR")
    return RunningStack(demo_from(known), None, Auth(target, Path(folder)) if target and folder else None)


def _caller(upstreams: Path) -> dict[str, str]:
    """Return the environment of somebody who has nothing but one upstream."""
    upstream_port = ports.free_port()
    upstreams.write_text(UPSTREAMS.format(port=upstream_port))
    return {name: value for name, value in os.environ.items() if name in KEPT} | {
        "RAZVILKA_PORT": str(ports.free_port()),
        "RAZVILKA_UPSTREAMS": str(upstreams),
        "TOY_UPSTREAM_KEY": "sk-emulator",
        "EMULATOR_OPENAI_PORT": str(upstream_port),
        # Tests run side by side on one key; those of quotas set their own.
        **NO_WAITING,
        # A failure before the first part has a status, however busy the machine is.
        "GATEWAY_STREAM_HEADERS_S": "60",
        # A gateway whose Redis is late decides alone, which is right and not what a test on a busy machine counts.
        "GATEWAY_REDIS_TIMEOUT_MS": "1000",
        # All tests come from one address; those of guessing say that they come from others.
        "GATEWAY_OAUTH_REQUESTS_PER_MINUTE": "0",
        # More than all tests ask of one application in a minute; that of this limit has an auth of its own.
        "AUTH_OAUTH_CLIENT_REQUESTS_PER_MINUTE": "1200",
        "GATEWAY_TRUSTED_PROXIES": "127.0.0.1/32",
    }


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of the running suite in a few processes of a parallel run, those of a file together."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            file = item.nodeid.partition("::")[0]
            number = PLACED.get(file, zlib.crc32(file.encode()) % SUITES)
            item.add_marker(pytest.mark.xdist_group(f"stack-{number}"))
            item.add_marker(pytest.mark.stack)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT_S))
