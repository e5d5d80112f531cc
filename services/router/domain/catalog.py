"""The model catalogue as values: what can be asked for, what answers, and what it costs when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Self

from servicekit.errors import ErrorReason, NotFound

MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-roubles per 1,000 tokens, VAT included, from `valid_from` until the next price."""

    version: str
    input_micro_rub_per_1k: int
    output_micro_rub_per_1k: int
    cached_micro_rub_per_1k: int
    valid_from: datetime

    @classmethod
    def of_roubles(
        cls, model_id: str, valid_from: datetime, *, input: Decimal, output: Decimal, cached: Decimal | None
    ) -> Self:
        """Return a model's price from roubles per 1,000 tokens; `cached` None: as dear as other input."""
        return cls(
            version=f"{model_id}@{valid_from:%Y-%m-%d}",
            input_micro_rub_per_1k=int(input * MICRO),
            output_micro_rub_per_1k=int(output * MICRO),
            cached_micro_rub_per_1k=int((input if cached is None else cached) * MICRO),
            valid_from=valid_from,
        )

    @property
    def roubles(self) -> tuple[Decimal, Decimal, Decimal]:
        """Return roubles per 1,000 tokens: of input, of output, of cached input."""
        return (
            Decimal(self.input_micro_rub_per_1k) / MICRO,
            Decimal(self.output_micro_rub_per_1k) / MICRO,
            Decimal(self.cached_micro_rub_per_1k) / MICRO,
        )


@dataclass(frozen=True, slots=True)
class BatchShare:
    """From `since` on, a line of a batch costs so many percent of the price, where calls may be deferred."""

    since: datetime
    percent: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fallback model.

    Attributes:
        model: its id or alias.
        priority: the higher, the earlier; None: the model's own.
        weight: how often it is first among candidates of its priority, beside their weights; 0: never, unless all are 0
            and the written order counts.
    """

    model: str
    priority: int | None = None
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Canary:
    """A rule: so many percent of a channel's users (sessions, requests) are answered by another version."""

    model: str
    percent: float
    by: str = "user"


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a caller can name.

    `dimensions` are the numbers of its vectors, unless others are asked for; `successor` is the id of the model to go
    over to.
    """

    id: str
    provider: str
    resolved_model: str
    prices: Sequence[Price]
    aliases: Sequence[str] = ()
    name: str = ""
    version: str = ""
    kind: str = "chat"
    surface: str = ""
    context_length: int = 0
    max_output_tokens: int = 0
    dimensions: int = 0
    modality: str = "text->text"
    features: frozenset[str] = frozenset()
    supported_parameters: Sequence[str] = ()
    default_parameters: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    fallbacks: Sequence[Candidate] = ()
    priority: int = 0
    canary: Canary | None = None
    successor: str = ""
    enabled: bool = True
    created_at: datetime | None = None
    deprecated_at: datetime | None = None
    shutdown_at: datetime | None = None
    # Of a channel: since when it has stood for this model.
    resolved_since: datetime | None = None
    description: str = ""
    chars_per_token: float = 4.0
    tokens_per_message: int = 0
    on_disconnect: str = "cancel"
    batch_shares: Sequence[BatchShare] = ()

    def is_served(self, now: datetime) -> bool:
        """Tell whether the model may be asked: switched on and not past its shutdown."""
        return self.enabled and (self.shutdown_at is None or now < self.shutdown_at)


class Catalog:
    """All models by id and alias; immutable."""

    def __init__(self, models: Sequence[Model], version: str) -> None:
        self.models = tuple(models)
        self.version = version
        self._by_name: dict[str, Model] = {}
        for model in models:
            for name in (model.id, *model.aliases):
                self._by_name.setdefault(name, model)
                self._by_name.setdefault(name.lower(), model)

    def find(self, name: str) -> Model | None:
        """Return the model of this id or alias; letter case does not matter."""
        return self._by_name.get(name) or self._by_name.get(name.lower())

    def served(self, name: str, now: datetime) -> Model:
        """Return the model that `name` stands for and that may be asked.

        Raises:
            NotFound: unknown, switched off, or shut down.
        """
        model = self.find(name)
        if model is None or not model.enabled:
            raise NotFound(ErrorReason.MODEL_NOT_FOUND, f"The model '{name[:200]}' does not exist.", param="model")
        if not model.is_served(now):
            day = model.shutdown_at.date().isoformat() if model.shutdown_at else ""
            raise NotFound(
                ErrorReason.MODEL_NOT_FOUND, f"The model '{model.id}' was shut down on {day}.", param="model"
            )
        return model
