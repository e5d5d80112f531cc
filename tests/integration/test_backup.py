"""Everything is kept while callers ask, and comes back in another folder (docs/operations/backup.md)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.test_rotation import KEPT, LIMIT_S, Load
from tests.integration.waiting import wait_until
from tools.accounts.demo import demo_from, read_env_file
from tools.backup.archive import read_manifest
from tools.servers import ports
from tools.stack.home import REPOSITORY, Home
from tools.stack.running_stack import RunningStack
from tools.stack.up import describe

pytestmark = [
    pytest.mark.skipif("RAZVILKA_WHOLE_RESTORE" not in os.environ, reason="starts two suites: make restore-proof"),
    pytest.mark.timeout(900),
]


def environment_of(home: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in KEPT} | {
        "RAZVILKA_HOME": str(home),
        "RAZVILKA_PORT": str(ports.free_port()),
        "EMULATOR_LIFT_QUOTAS": "true",
    }


def make(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        ["make", "-s", "-C", str(REPOSITORY), *words], env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def running(home: Path, environment: dict[str, str]) -> RunningStack:
    return RunningStack(demo_from(read_env_file(home / "demo.env")), describe(Home(home), environment))


@pytest.fixture
def first(tmp_path: Path) -> Iterator[tuple[RunningStack, dict[str, str]]]:
    """A suite that is in use."""
    home = tmp_path / "first"
    environment = environment_of(home)
    make(environment, "up")
    yield running(home, environment), environment
    make(environment, "down")


def asked(stack: RunningStack, key: str) -> httpx.Response:
    body = {"model": "gigachat", "messages": [{"role": "user", "content": "Где стоянка?"}], "max_tokens": 8}
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=60) as client:
        return client.post("/v1/chat/completions", json=body)


def one(stack: RunningStack, question: str) -> Any:
    return stack.query(question)[0][0]


def test_a_backup_under_load_comes_back_with_its_books(
    first: tuple[RunningStack, dict[str, str]], tmp_path: Path
) -> None:
    """No request fails while it is taken; in the other suite old keys ask, and rows count once."""
    stack, environment = first
    account, kept = stack.new_account(), tmp_path / "kept"
    assert asked(stack, account.key).status_code == 200
    wait_until(lambda: one(stack, "SELECT count(*) FROM usage.usage") > 0)
    with Load(stack) as load:
        wait_until(lambda: load.answers["200"] > 20)
        make(environment, "backup", f"ARGS={kept}")
        wait_until(lambda: load.answers["200"] > 60)
    figures = read_manifest(kept)

    home = tmp_path / "second"
    elsewhere = environment_of(home)
    try:
        said = make(elsewhere, "restore", f"ARGS={kept}")
        restored = running(home, elsewhere)
        rows = one(restored, "SELECT count(*) FROM usage.usage")
        assert asked(restored, account.key).status_code == 200
        assert asked(restored, stack.api_key).status_code == 200
        wait_until(lambda: one(restored, "SELECT count(*) FROM usage.usage") >= rows + 2)

        assert set(load.answers) == {"200"}
        assert "restored and verified" in said
        log = restored.log("gateway").read_text() + restored.log("usage").read_text()
        assert "journal.damaged" not in log
        assert "conflicting_duplicate" not in log
        # What was in the journals and not yet in the database comes on top of it, and nothing twice.
        assert rows >= sum(count for name, count in figures.rows.items() if name.startswith("usage.usage_2"))
        assert one(restored, "SELECT count(*) - count(DISTINCT id) FROM usage.usage") == 0
        spent = (
            "SELECT (SELECT sum(cost) * 1000000 FROM usage.usage) - (SELECT sum(cost_micro_rub) FROM usage.rollup_day)"
        )
        assert one(restored, spent) == 0
    finally:
        make(elsewhere, "down")
