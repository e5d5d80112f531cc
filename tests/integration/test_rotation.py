"""Keys and passwords are changed while requests come in, by the commands of docs/operations/rotation.md: none fails."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
from cryptography import x509

from tests.documents import code_blocks
from tests.integration.waiting import wait_until
from tools.accounts.demo import demo_from, read_env_file
from tools.servers import ports
from tools.stack.environments import NO_WAITING
from tools.stack.home import REPOSITORY, Home, read_json
from tools.stack.running_stack import RunningStack
from tools.stack.up import describe

# They share a suite, which a process each would start for itself.
pytestmark = pytest.mark.xdist_group("rotation")

PAGE: Final = "docs/operations/rotation.md"
KEPT: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH")
LIMIT_S: Final = 300
CALLERS: Final = 3


@dataclass(slots=True)
class Load:
    """Callers that ask one after another until they are told to stop."""

    stack: RunningStack
    answers: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        headers = {"authorization": f"Bearer {self.stack.api_key}"}
        body = {"model": "gigachat", "messages": [{"role": "user", "content": "Где стоянка?"}], "max_tokens": 8}
        with httpx.Client(base_url=self.stack.url, headers=headers, trust_env=False, timeout=60) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post("/v1/chat/completions", json=body)
                    self.answers[str(answer.status_code) if answer.status_code == 200 else answer.text[:200]] += 1
                except httpx.HTTPError as exc:
                    self.answers[repr(exc)] += 1


@dataclass(frozen=True, slots=True)
class OwnSuite:
    """A suite for these tests alone: what others know of theirs must not change."""

    stack: RunningStack
    environment: dict[str, str]

    @property
    def home(self) -> Home:
        """Return its folder."""
        return self.stack.parts.home

    def make(self, *words: str) -> str:
        """Run a command of the page and return what it says."""
        done = subprocess.run(
            ["make", "-s", "-C", str(REPOSITORY), *words],
            env=self.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def suite(servers_folder: Path) -> Iterator[OwnSuite]:
    """Start a suite as a person does, and stop it."""
    folder = servers_folder / "rotation"
    environment = {name: value for name, value in os.environ.items() if name in KEPT} | {
        "RAZVILKA_HOME": str(folder),
        "RAZVILKA_PORT": str(ports.free_port()),
        **NO_WAITING,
    }
    make = ["make", "-s", "-C", str(REPOSITORY)]
    subprocess.run([*make, "up"], env=environment, check=True, capture_output=True, timeout=LIMIT_S)
    try:
        demo = demo_from(read_env_file(folder / "demo.env"))
        yield OwnSuite(RunningStack(demo, describe(Home(folder), environment)), environment)
    finally:
        subprocess.run([*make, "down"], env=environment, check=True, capture_output=True, timeout=LIMIT_S)


def commands() -> list[str]:
    """Return every command of ours on the page; how a file is put in its place is the operator's."""
    blocks = [text for language, text in code_blocks(REPOSITORY / PAGE) if language == "sh"]
    return [line for block in blocks for line in block.splitlines() if line.startswith("make ")]


def state_of(suite: OwnSuite) -> dict[str, Any]:
    """Return what each command changes."""
    pems = {each: (suite.home.tls / each / "tls.crt").read_bytes() for each in ("auth", "gateway")}
    secrets = read_json(suite.home.root / "secrets.json")
    kids = [row["kid"] for row in suite.stack.query("SELECT kid FROM auth.oauth_signing_keys ORDER BY kid")]
    return {
        "make rotate-signing-key": kids,
        "make rotate-pepper": secrets["key_pepper"],
        "make rotate-database-password SERVICE=auth": secrets["razvilka_auth"],
        "make rotate-database-password SERVICE=usage": secrets["razvilka_usage"],
        "make rotate-certificates": {n: x509.load_pem_x509_certificate(p).serial_number for n, p in pems.items()},
    }


def test_the_page_names_every_rotation_there_is() -> None:
    """What the Makefile offers is on the page, and only that."""
    targets = set(re.findall(r"^(rotate-[a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))

    assert {command.split()[1] for command in commands()} == targets


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("command", commands())
def test_nothing_fails_while_a_secret_is_changed(suite: OwnSuite, command: str) -> None:
    """The command changes what it names, and callers notice nothing."""
    before = state_of(suite)
    with Load(suite.stack) as load:
        wait_until(lambda: load.answers.total() > 2 * CALLERS, within_s=60)

        said = suite.make(*command.split()[1:])

        asked = load.answers.total()
        wait_until(lambda: load.answers.total() > asked + 2 * CALLERS, within_s=60)

    after = state_of(suite)
    assert set(load.answers) == {"200"}, load.answers
    assert said.count("\n") == 1
    assert {name for name in before if before[name] != after[name]} == {command}


@pytest.mark.timeout(600)
async def test_an_old_password_opens_nothing(suite: OwnSuite) -> None:
    """And the new one does."""
    before = suite.stack.parts.environments.of("auth")["AUTH_POSTGRES_DSN"]

    suite.make("rotate-database-password", "SERVICE=auth")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(before)
    now = describe(suite.home, suite.environment).environments.of("auth")["AUTH_POSTGRES_DSN"]
    await (await asyncpg.connect(now)).close()


@pytest.mark.timeout(600)
def test_a_key_moves_to_the_new_pepper_when_it_is_used(suite: OwnSuite) -> None:
    """It verifies under the earlier one until then."""
    key = suite.stack.issue_key()
    row = "SELECT pepper_id FROM auth.api_keys ORDER BY created_at DESC LIMIT 1"
    before = suite.stack.query(row)[0]["pepper_id"]

    suite.make("rotate-pepper")
    answer = httpx.get(
        f"{suite.stack.url}/v1/models", headers={"authorization": f"Bearer {key}"}, trust_env=False, timeout=60
    )

    assert answer.status_code == 200
    wait_until(lambda: suite.stack.query(row)[0]["pepper_id"] != before, within_s=60)


def test_a_service_that_does_not_exist_is_told(suite: OwnSuite) -> None:
    """One line names what can be said."""
    done = subprocess.run(
        ["make", "-s", "-C", str(REPOSITORY), "rotate-database-password", "SERVICE=gateway"],
        env=suite.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert "SERVICE=auth|router|usage" in done.stderr
    assert Path(suite.home.root, "secrets.json").is_file()
