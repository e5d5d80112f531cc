"""What a service gives to be called: one handler for each method."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from servicekit.multiplex.frames import Call


@dataclass(frozen=True, slots=True)
class UnaryHandler:
    """Answers a call with one response."""

    handle: Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class StreamHandler:
    """Answers a call with responses as they are made; closed early when the caller leaves.

    The next response is asked for only when the caller has credit left, so what it reads from is paused with it.
    """

    handle: Callable[[Call], AsyncGenerator[Any, None]]


Handler = UnaryHandler | StreamHandler
