"""The page that says which alarms were seen ringing and ending, and which only promtool plays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.observability.scene import Fault
from tests.observability.servers import RULES
from tools.stack.home import REPOSITORY

FILE: Final = REPOSITORY / "docs" / "operations" / "alerts.md"
HEAD: Final = """\
# Alarms, and what was seen of them

Written by `make alerts`: a suite of its own, a real Prometheus and a real Alertmanager with our rules and
configuration, all windows and waits sixty times shorter (a minute at most), scrapes every second. Each fault was
injected, the alarm reached the receiver, the fault was mended as the runbook says, and the receiver was told that it
had ended. Seconds are those of the run that wrote this page; at night they are as many minutes.

| alarm | severity | owner | fault | rang after | mended by | ended after |
|---|---|---|---|---|---|---|
"""
NOT_INJECTED: Final = """
## Only played

These were not injected into a running suite: `promtool` plays their series, ringing and silent, in
`make observability`.

| alarm | severity | owner |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """How it went."""

    fault: Fault
    rang_after_s: float
    ended_after_s: float


class Page:
    """Gathers what was seen."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def add(self, fault: Fault, *, rang_after_s: float, ended_after_s: float) -> None:
        """Note a fault whose alarms rang and ended."""
        for alert in fault.alerts:
            self._seen.setdefault(alert, Seen(fault, rang_after_s, ended_after_s))

    def write(self) -> None:
        """Write the page; a run of some faults renews their rows, and leaves those of the others."""
        rules = _alerts()
        rows = _rows_before() | {name: _row(name, rules[name], seen) for name, seen in self._seen.items()}
        rows = {name: rows[name] for name in sorted(rows) if name in rules}
        others = "".join(f"| {_cells(name, rules[name])} |\n" for name in sorted(set(rules) - set(rows)))
        FILE.write_text(HEAD + "".join(rows.values()) + NOT_INJECTED + others)


def _alerts() -> dict[str, dict[str, Any]]:
    groups = [group for file in RULES.glob("*.yaml") for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def _rows_before() -> dict[str, str]:
    text = FILE.read_text().partition(NOT_INJECTED)[0] if FILE.exists() else ""
    return {match.group(1): f"{match.group(0)}\n" for match in re.finditer(r"^\| \[(\w+)\]\(.*$", text, re.MULTILINE)}


def _cells(name: str, rule: dict[str, Any]) -> str:
    return f"[{name}](runbooks/{name}.md) | {rule['labels']['severity']} | {rule['labels']['owner']}"


def _row(name: str, rule: dict[str, Any], seen: Seen) -> str:
    fault = seen.fault
    return (
        f"| {_cells(name, rule)} | {fault.done} | {seen.rang_after_s:.0f} s "
        f"| {fault.mended} | {seen.ended_after_s:.0f} s |\n"
    )
