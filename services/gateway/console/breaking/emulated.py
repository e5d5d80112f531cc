"""The emulator's control API, as far as a local suite's console uses it: break a provider, heal it, see how it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from servicekit.errors import ErrorReason, Unavailable

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0)
_FAULTS: Final = "/control/faults"


@dataclass(frozen=True, slots=True)
class Fault:
    """What an emulated provider does wrong, by the emulator's name for it; `left_s`: seconds until it stops."""

    name: str
    args: Mapping[str, str] = field(default_factory=dict)
    left_s: float = 0.0


class EmulatedProvider:
    """One provider that the emulator at `url` plays. Methods raise `Unavailable` while the emulator is away."""

    def __init__(self, url: str, provider: str) -> None:
        self._url = url
        self._provider = provider

    async def commit(self, fault: Fault) -> None:
        """Have the provider answer every chat with this fault for `left_s`, in place of any other."""
        await self.heal()
        rule = {"fault": fault.name, "args": fault.args, "times": -1, "for_s": fault.left_s}
        await self._ask("POST", {**rule, "provider": self._provider, "operation": "chat"})

    async def heal(self) -> None:
        """Have the provider answer as it should."""
        await self._ask("DELETE", {"provider": self._provider})

    async def fault(self) -> Fault | None:
        """Return what it does wrong for a while; None: nothing."""
        rules = [rule for rule in (await self._ask("GET", None))["rules"] if rule["provider"] == self._provider]
        found = next((rule for rule in rules if rule["left_s"] is not None), None)
        return None if found is None else Fault(found["fault"], found["args"], found["left_s"])

    async def _ask(self, method: str, body: Mapping[str, Any] | None) -> Any:
        try:
            async with (
                aiohttp.ClientSession(self._url, timeout=_TIMEOUT, raise_for_status=True) as session,
                session.request(method, _FAULTS, json=body) as answer,
            ):
                return await answer.json()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "The emulator does not answer.") from exc
