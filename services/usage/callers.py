"""Which service may call which RPC of usage. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

METHODS: Final = {
    "Record": ("gateway",),
    "GetSpend": ("gateway",),
    "GetRequest": ("gateway",),
    "CheckInvariants": ("operator",),
}
CALLERS: Final = {f"/razvilka.usage.v1.UsageService/{method}": callers for method, callers in METHODS.items()}
