"""Wire models of what a caller says of who answers, in the shapes that users of OpenRouter know."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

MAX_MODELS: Final = 8
MAX_NAMES: Final = 16

_ModelName = Annotated[str, Meta(min_length=1, max_length=256)]
_ProviderName = Annotated[str, Meta(min_length=1, max_length=128)]
ModelNames = Annotated[
    list[_ModelName],
    Meta(min_length=1, max_length=MAX_MODELS, description="Models that answer when those before them cannot, in order"),
]
ProviderNames = Annotated[list[_ProviderName], Meta(min_length=1, max_length=MAX_NAMES)]
Roubles = Annotated[float, Meta(ge=0, le=1e9)] | Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
# There is one way to go on from model to model.
Way = Literal["fallback"]


class MaxPrice(Struct, gc=False, forbid_unknown_fields=True):
    """The dearest that may answer: roubles per 1,000,000 tokens in and out. Requests and images cost nothing apart."""

    prompt: Roubles | None = None
    completion: Roubles | None = None
    request: Roubles | None = None
    image: Roubles | None = None


class ProviderPreferences(Struct, gc=False, forbid_unknown_fields=True):
    """Who may answer and who is asked first. With `require_parameters`, nothing that was asked for is left out."""

    order: ProviderNames | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    only: ProviderNames | None = None
    ignore: ProviderNames | None = None
    sort: Literal["price", "latency", "throughput"] | None = None
    max_price: MaxPrice | None = None
    # OpenRouter's own, which nobody here can promise: named as left out.
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    quantizations: list[str] | None = None
    preferred_min_throughput: Any = None
    preferred_max_latency: Any = None


_NOT_PROMISED: Final = (
    "data_collection",
    "zdr",
    "enforce_distillable_text",
    "quantizations",
    "preferred_min_throughput",
    "preferred_max_latency",
)
# What asks for nothing.
_NEUTRAL: Final[tuple[Any, ...]] = (None, False, "allow", [])


def requires_all(preferences: ProviderPreferences | None) -> bool:
    """Tell whether no parameter may be left out."""
    return preferences is not None and bool(preferences.require_parameters)


def left_out(preferences: ProviderPreferences | None) -> list[str]:
    """Return the wishes that do not count, by their path: the caller is told of them."""
    if preferences is None:
        return []
    names = [name for name in _NOT_PROMISED if getattr(preferences, name) not in _NEUTRAL]
    if preferences.order and preferences.sort:
        names.append("sort")
    return [f"provider.{name}" for name in names]
