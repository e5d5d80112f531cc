"""Whether answers to a key are cached where its requests do not say."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from services.gateway.edge.reading.json_body import invalid_field


class CacheDefault(BaseModel):
    """`ttl_s`: for how many seconds an answer serves; null: as long as the server has it."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["on", "off"]
    ttl_s: StrictInt | None = Field(None, ge=1)


def ttl_of(given: CacheDefault | None, most_ttl_s: int) -> int | None:
    """Return the seconds as auth keeps them: None of a key that has no part in the cache, 0 of what the server has.

    Raises:
        InvalidRequest: longer than any request may ask for.
    """
    if given is None or given.mode == "off":
        return None
    if given.ttl_s is not None and given.ttl_s > most_ttl_s:
        raise invalid_field("cache.ttl_s", f"An answer is cached for at most {most_ttl_s} seconds")
    return given.ttl_s or 0


def default_of(ttl_s: int | None) -> CacheDefault:
    """Return what a key has, as lists show it."""
    return CacheDefault(mode="off") if ttl_s is None else CacheDefault(mode="on", ttl_s=ttl_s or None)
