"""Interfaces by which rooms delete their data of an account, or of a credential, that has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

# Forgets all that is kept of deleted accounts, by their ids.
Forget = Callable[[Sequence[str]], Awaitable[None]]
# Ends the schedules that makers made before a moment; returns whose, which, and by whom they were made.
EndSchedules = Callable[[Sequence[str], datetime], Awaitable[Sequence[tuple[str, str, str]]]]
