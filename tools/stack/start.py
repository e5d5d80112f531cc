"""Bring a suite up on ports that are free, also where one is taken between the look and the program's start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tools.demo_account import Demo
from tools.servers.errors import ServerError
from tools.stack.down import bring_down
from tools.stack.home import Home
from tools.stack.up import Say, Stack, bring_up, describe

# What Python, PostgreSQL and Redis say of a port that somebody else listens on, and what gRPC says.
TAKEN: Final = ("already in use", "Failed to bind to address")
TRIES: Final = 3


def start(home: Home, caller: Mapping[str, str], say: Say) -> tuple[Stack, Demo]:
    """Return the running suite; a port that was taken meanwhile is chosen anew.

    Raises:
        ServerError: a program does not start.
    """
    for _ in range(TRIES - 1):
        stack = describe(home, caller)
        try:
            return stack, bring_up(stack, say)
        except ServerError as exc:
            if not any(words in str(exc) for words in TAKEN):
                raise
            # Looked at again, a port that somebody has is not chosen.
            bring_down(home)
    stack = describe(home, caller)
    return stack, bring_up(stack, say)
