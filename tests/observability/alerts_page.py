"""The page that says how each alarm was seen ringing and ending, in one run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.observability.scene import Fault
from tests.observability.servers import RULES
from tools.stack.home import REPOSITORY

FILE: Final = REPOSITORY / "docs" / "operations" / "alerts.md"
HEAD: Final = """\
# Alarms, and what was seen of them

Written by `make alerts`, by one run of {faults} faults in {minutes:.0f} minutes: a suite of its own, a real
Prometheus and a real Alertmanager with our rules and configuration, scrapes every second. A minute of the rules took a
second, and no window was longer than twenty. Each fault was injected, the alarm reached the receiver, the fault was
mended as the runbook says, and the receiver was told that it had ended.

| alarm | severity | owner | fault | rang after | mended by | ended after |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """How it went."""

    fault: Fault
    rang_after_s: float
    ended_after_s: float


class Page:
    """Gathers what was seen in one run."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._seen: list[Seen] = []

    def add(self, fault: Fault, *, rang_after_s: float, ended_after_s: float) -> None:
        """Note a fault whose alarms rang and ended."""
        self._seen.append(Seen(fault, rang_after_s, ended_after_s))

    def write(self) -> list[str]:
        """Write the page if this run has seen every alarm; return those that it has not."""
        rules = alarms()
        seen = {alert: each for each in reversed(self._seen) for alert in each.fault.alerts}
        if missing := sorted(set(rules) - set(seen)):
            return missing
        minutes = (time.monotonic() - self._began) / 60
        rows = "".join(_row(name, rules[name], seen[name]) for name in sorted(rules))
        FILE.write_text(HEAD.format(faults=len(self._seen), minutes=minutes) + rows)
        return []


def alarms() -> dict[str, dict[str, Any]]:
    """Return all rules that ring, by name."""
    groups = [group for file in RULES.glob("*.yaml") for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def _cells(name: str, rule: dict[str, Any]) -> str:
    return f"[{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {rule['labels']['owner']}"


def _row(name: str, rule: dict[str, Any], seen: Seen) -> str:
    fault = seen.fault
    return (
        f"| {_cells(name, rule)} | {fault.done} | {seen.rang_after_s:.0f} s "
        f"| {fault.mended} | {seen.ended_after_s:.0f} s |\n"
    )
