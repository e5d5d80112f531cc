"""A gateway goes for good: it ships what it served, or leaves it to `ship-journals` on its volume."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.books import Books
from tests.integration.caller import ask
from tests.integration.processes import Processes
from tools.servers.ports import LOOPBACK, free_port
from tools.stack.home import REPOSITORY
from tools.stack.running_stack import RunningStack


def ship(stack: RunningStack, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as the Job in deploy/k8s does."""
    return subprocess.run(
        [sys.executable, "-m", "services.gateway", "ship-journals", str(folder)],
        cwd=REPOSITORY,
        env=stack.parts.environments.of("gateway"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_gateway_that_is_taken_away_ships_all_before_it_ends(
    stack: RunningStack, books: Books, processes: Processes
) -> None:
    """SIGTERM, as an autoscaler's, right behind an answer: its volume is empty when the process has ended."""
    account = stack.new_account()
    gateway = processes.gateway()
    for _ in range(3):
        ask(gateway.url, account.key, "Где север? [[tokens:30]]")

    gateway.stop()

    assert gateway.process.returncode == 0
    assert list(processes.journal("journal").iterdir()) == []
    assert [row["source"] for row in books.rows(account.user_id)] == ["provider"] * 3


def test_a_gateway_that_is_taken_away_while_usage_is_gone_ends_in_time_and_leaves_all_on_its_volume(
    stack: RunningStack, books: Books, processes: Processes
) -> None:
    """It waits for usage for as long as it may, and no longer: what is left is booked from there, each row once."""
    account = stack.new_account()
    away = {"GATEWAY_USAGE_TARGET": f"{LOOPBACK}:{free_port()}", "GATEWAY_METERING_DRAIN_AT_STOP_S": "1"}
    gateway = processes.gateway(**away)
    for _ in range(3):
        ask(gateway.url, account.key, "Где север? [[tokens:30]]")

    gateway.stop()
    booked = books.rows(account.user_id)
    shipped = ship(stack, processes.journal("journal"))

    assert (gateway.process.returncode, booked, shipped.returncode) == (0, [], 0), shipped.stderr
    assert "shipped 3, dead letters 0, quarantined 0, not shipped yet 0" in shipped.stdout
    assert [row["source"] for row in books.rows(account.user_id)] == ["provider"] * 3


def test_what_a_gateway_left_is_shipped_without_a_gateway(
    stack: RunningStack, books: Books, processes: Processes
) -> None:
    """Usage away, three answers, SIGKILL: the command makes their rows; a second one finds nothing."""
    account = stack.new_account()
    gateway = processes.gateway(GATEWAY_USAGE_TARGET=f"{LOOPBACK}:{free_port()}")
    for _ in range(3):
        ask(gateway.url, account.key, "Где север? [[tokens:30]]")
    gateway.kill()
    folder = processes.journal("journal")

    first, again = ship(stack, folder), ship(stack, folder)

    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "taken over 3: shipped 3, dead letters 0, quarantined 0, not shipped yet 0" in first.stdout
    assert "taken over 0" in again.stdout
    assert [row["source"] for row in books.rows(account.user_id)] == ["provider"] * 3
    assert list(folder.iterdir()) == []
