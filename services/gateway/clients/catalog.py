"""The models as of now: an immutable snapshot that each request holds until its end, so that its prices are frozen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, ServiceError, Unavailable, invalid_parameter
from services.gateway.clients import metrics
from services.gateway.metering.usage_record import Price

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DatedPrice:
    """A price and the moment from which it holds."""

    price: Price
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class BatchShare:
    """From `since` on, a line of a batch costs so many percent of the price."""

    since: datetime
    percent: int


@dataclass(frozen=True, slots=True)
class Model:
    """One version of one model, as the router's catalogue has it."""

    id: str
    provider: str
    kind: str
    prices: tuple[DatedPrice, ...]
    aliases: tuple[str, ...] = ()
    name: str = ""
    version: str = ""
    resolved_model: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    modality: str = "text->text"
    supported_features: tuple[str, ...] = ()
    supported_parameters: tuple[str, ...] = ()
    default_parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    shutdown_at: datetime | None = None
    deprecated_at: datetime | None = None
    created_at: datetime | None = None
    # Since when the name has stood for `resolved_model`, where it may come to stand for another.
    resolved_since: datetime | None = None
    description: str = ""
    fallbacks: tuple[str, ...] = ()
    chars_per_token: float = 3.0
    tokens_per_message: int = 4
    on_disconnect: str = "cancel"
    # Whether a call for n choices is n calls to the provider, each of which reads, and bills, the input.
    bills_input_per_choice: bool = False
    # By script: the share of the bound of its tokens (`inference.size.text_size`) that prompts have used at most.
    learned_shares: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    # The one of `fallbacks` that answers some of its callers and stands in for nobody; empty: there is none.
    canary: str = ""
    # The id of the model to go over to.
    successor: str = ""
    # Whether its provider's adapter writes references and unions of schemas out, which makes them longer.
    writes_schemas_out: bool = False
    # Oldest first; none: lines of batches are asked like everything else, at the same price.
    batch_shares: tuple[BatchShare, ...] = ()

    def batch_percent_at(self, now: datetime) -> int:
        """Return how many percent of the price a line of a batch costs at `now`."""
        return next((share.percent for share in reversed(self.batch_shares) if share.since <= now), 100)

    def price_at(self, now: datetime) -> Price:
        """Return the price that holds at `now`.

        Raises:
            Unavailable: the model has none; it is refused, never free.
        """
        price = self.known_price_at(now)
        if price is None:
            raise Unavailable(
                ErrorReason.MODEL_WITHOUT_PRICE, f"The model `{self.id}` has no price yet, so it cannot be used."
            )
        return price

    def known_price_at(self, now: datetime) -> Price | None:
        """Return the price that holds at `now`, if there is one."""
        current = None
        for dated in self.prices:
            if dated.valid_from <= now:
                current = dated.price
        return current


class Catalog:
    """All models of one moment."""

    def __init__(self, models: tuple[Model, ...], version: str, refused: tuple[str, ...] = ()) -> None:
        self.models = models
        self.version = version
        self.refused = refused
        self._by_name = {name: model for model in models for name in (*model.aliases, model.id)}

    def find(self, name: str) -> Model | None:
        """Return the model of this id or alias; a bare name means its `:latest`."""
        return self._by_name.get(name) or self._by_name.get(f"{name}:latest")

    def get(self, name: str) -> Model:
        """Return the model of this id or alias.

        Raises:
            NotFound: there is none.
        """
        model = self.find(name)
        if model is None:
            raise NotFound(
                ErrorReason.MODEL_NOT_FOUND,
                f"The model `{name[:128]}` does not exist. See GET /v1/models.",
                param="model",
            )
        return model

    def get_kind(self, name: str, kind: str) -> Model:
        """Return the model, checked to be of this kind: "chat" or "embedding".

        Raises:
            NotFound: there is none.
            InvalidRequest: it does something else.
        """
        model = self.get(name)
        if model.kind != kind:
            problem = f"The model `{model.id}` is of kind `{model.kind}`, this path needs `{kind}`."
            raise invalid_parameter("model", problem)
        return model


Fetch = Callable[[], Awaitable[Catalog]]


class CatalogWatch:
    """Keeps the newest snapshot; the old one lives on in the requests that hold it."""

    def __init__(self, fetch: Fetch, *, clock: Clock, refresh_s: float, max_age_s: float) -> None:
        self._fetch = fetch
        self._clock = clock
        self._refresh_s = refresh_s
        self._max_age_s = max_age_s
        self._catalog: Catalog | None = None
        self._seen_at = 0.0
        self.refused: tuple[str, ...] = ()
        """What the router was told and did not take over, in sentences."""

    @property
    def is_ready(self) -> bool:
        """Tell whether there is a snapshot that is not too old."""
        return self._catalog is not None and self._clock.monotonic() - self._seen_at <= self._max_age_s

    def current(self) -> Catalog:
        """Return the snapshot.

        Raises:
            Unavailable: none was ever loaded, or the last one is too old.
        """
        if self._catalog is None or not self.is_ready:
            raise Unavailable(
                ErrorReason.SERVICE_UNAVAILABLE, "The model catalogue is not loaded yet. Try again.", retry_after_s=1.0
            )
        return self._catalog

    async def refresh(self) -> bool:
        """Look once; tell whether the router answered."""
        try:
            catalog = await self._fetch()
        except ServiceError as exc:
            log.warning("catalog.refresh_failed", reason=exc.reason.value)
            return False
        self._seen_at, self.refused = self._clock.monotonic(), catalog.refused
        if self._catalog is None or self._catalog.version != catalog.version:
            log.info("catalog.loaded", version=catalog.version, models=len(catalog.models))
            self._catalog = catalog
            metrics.CATALOG_MODELS.set(len(catalog.models))
        return True

    async def run(self) -> None:
        """Look for ever; faster while there is nothing yet."""
        while True:
            answered = await self.refresh()
            await self._clock.sleep(self._refresh_s if answered or self._catalog else 0.2)
