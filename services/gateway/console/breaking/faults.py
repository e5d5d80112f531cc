"""What can be broken, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from services.gateway.console.breaking.alarms import ACCOUNT_SPENT, CIRCUIT_OPEN
from services.gateway.console.breaking.emulated import Fault

PROVIDER: Final = "gigachat"
# Long enough to look at what happens, and over before anybody has forgotten it.
BROKEN_S: Final = 60.0
# By the name of its button; texts are under `break.`.
FAULTS: Final[Mapping[str, Fault]] = {
    "slow": Fault("latency", {"ms": "4000"}),
    "failing": Fault("status", {"code": "503"}),
    "cut": Fault("cut_mid_stream", {"after": "2"}),
    "spent": Fault("status", {"code": "402"}),
}
# The operators' alarm that watches for it.
ALARMS: Final[Mapping[str, str]] = {
    "failing": CIRCUIT_OPEN.name,
    "cut": CIRCUIT_OPEN.name,
    "spent": ACCOUNT_SPENT.name,
}


def for_a_minute(name: str) -> Fault | None:
    """Return the fault of a button; None: there is no such button."""
    fault = FAULTS.get(name)
    return None if fault is None else replace(fault, left_s=BROKEN_S)


def button_of(fault: Fault | None) -> str:
    """Return the button that made this fault, "" of none of them."""
    if fault is None:
        return ""
    made = (fault.name, dict(fault.args))
    return next((name for name, each in FAULTS.items() if (each.name, dict(each.args)) == made), "")
