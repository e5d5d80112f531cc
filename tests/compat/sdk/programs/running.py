"""Runs the scenarios of a program's modules, and says how each went and which names of the SDK ran."""

import asyncio
import json
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from recording import Recording


def report(modules: list[ModuleType], recording: Recording, surface: Callable[[Recording], dict[str, str]]) -> None:
    """Print one JSON line: for each scenario None or its traceback, for each public name why it counts, or nothing."""
    recording.start()
    scenarios = {name: value for module in modules for name, value in vars(module).items() if name.startswith("can_")}
    outcomes = {name: outcome(scenario) for name, scenario in scenarios.items()}
    recording.stop()
    sys.stdout.write(json.dumps({"scenarios": outcomes, "surface": surface(recording)}) + "\n")


def outcome(scenario: Any) -> str | None:
    """Return None, or the traceback."""
    try:
        result = scenario()
        if asyncio.iscoroutine(result):
            asyncio.run(result)
    except Exception:
        return traceback.format_exc()
    return None
