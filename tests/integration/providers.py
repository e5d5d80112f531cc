"""The emulator behind the suite: faults, and what the providers were really asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from emulator.control_client import EmulatorControl
from tests.integration.waiting import wait_until

T = TypeVar("T")


class Providers:
    """The emulator's control API for tests that are not asynchronous."""

    def __init__(self, control_url: str) -> None:
        self._control_url = control_url

    def fail(self, fault: str, **arguments: Any) -> None:
        """Commit a fault, see `EmulatorControl.fail`."""
        self._run(lambda control: control.fail(fault, **arguments))

    def expire_tokens(self) -> None:
        """End all access tokens that were given out."""
        self._run(lambda control: control.expire_tokens())

    def reset(self) -> None:
        """Forget faults and what was asked."""
        self._run(lambda control: control.reset())

    def calls(self, operation: str = "chat", **equals: Any) -> list[dict[str, Any]]:
        """Return the calls since the last reset, oldest first."""
        return self._run(lambda control: control.ground_truth(operation=operation, **equals))

    def wait_for_call(self, **equals: Any) -> dict[str, Any]:
        """Return the newest chat call as soon as there is one."""
        return wait_until(lambda: self.calls(**equals))[-1]

    def _run(self, act: Callable[[EmulatorControl], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            async with EmulatorControl(self._control_url) as control:
                return await act(control)

        return asyncio.run(run())
