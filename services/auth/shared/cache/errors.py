"""Translates Redis errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from servicekit.errors import ErrorReason, Unavailable
from servicekit.redis import LOST


@contextmanager
def cache_errors() -> Iterator[None]:
    """Raise `Unavailable` in place of any error that says Redis cannot be used now."""
    try:
        yield
    except LOST as exc:
        raise Unavailable(ErrorReason.CACHE_ERROR, "The cache is unavailable. Try again.", retry_after_s=1.0) from exc
