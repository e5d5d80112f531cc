"""The schema of a catalogue file. Prices are in roubles per 1,000 tokens, as in price lists."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from servicekit.clock import in_utc


def _midnight(value: object) -> object:
    """Read a day as its first moment in UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value


def _in_utc(moment: datetime) -> datetime:
    """Read a moment without a time zone, as quotes around a day make one, as UTC's; one of no calendar is refused."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else in_utc(moment)


Timestamp = Annotated[datetime, BeforeValidator(_midnight), AfterValidator(_in_utc)]
# What `numeric(10, 6)` holds of them; also prices that are ordered of the running router stay below.
Roubles = Annotated[Decimal, Field(ge=0, lt=10_000)]
# More than any model reads at once. A typo is refused here, not by the protocol when models are listed.
MOST_TOKENS: Final = 10**9
Name = Annotated[str, Field(min_length=1, max_length=128)]


def _begin_apart(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    """Refuse two dated entries that begin together: which of them holds would depend on their order."""
    begins = Counter(entry.begins for entry in entries)
    twice = [moment for moment, count in begins.items() if count > 1]
    if twice:
        raise ValueError(f"two entries begin at {min(twice).isoformat()}")
    return entries


_Apart: Final = AfterValidator(_begin_apart)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceEntry(_Document):
    """A price, the day from which it is valid, and its source."""

    valid_from: Timestamp
    input: Roubles
    output: Roubles
    cached: Roubles | None = None
    """None: cached tokens cost what input costs."""
    source: str = ""

    @property
    def begins(self) -> datetime:
        """Return from when on it holds."""
        return self.valid_from

    @model_validator(mode="after")
    def _exact(self) -> Self:
        for amount in (self.input, self.output, self.cached or Decimal()):
            if amount * 1_000_000 != int(amount * 1_000_000):
                raise ValueError("a price has more than six decimals")
        return self


class _Since(_Document):
    since: Timestamp

    @property
    def begins(self) -> datetime:
        """Return from when on it holds."""
        return self.since


class BatchShareEntry(_Since):
    """From which day a line of a batch costs how many percent of the price."""

    percent: int = Field(ge=1, le=100)


Prices = Annotated[tuple[PriceEntry, ...], _Apart]
BatchShares = Annotated[tuple[BatchShareEntry, ...], _Apart]


class CandidateEntry(_Document):
    """A fallback model. A bare name is one without priority and weight."""

    model: Name
    priority: int | None = None
    """The higher, the earlier; None: that of the model named."""
    weight: float = Field(0.0, ge=0, allow_inf_nan=False)
    """How often it is first among those of its priority, beside their weights."""


def _with_name(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


Candidates = tuple[Annotated[CandidateEntry, BeforeValidator(_with_name)], ...]


class ModelEntry(_Document):
    """One model of the provider, with its price."""

    id: Name
    """What callers may write; a channel's target need not be listed under a name of its own."""
    uri: Name
    """What the provider is asked for."""
    name: str = ""
    aliases: tuple[Name, ...] = ()
    kind: Literal["chat", "embedding"] = "chat"
    surface: Literal["", "native", "openai"] = ""
    listed: bool = True
    """False: reachable through channels only."""
    enabled: bool = True
    context_length: int = Field(gt=0, le=MOST_TOKENS)
    max_output_tokens: int = Field(0, ge=0, le=MOST_TOKENS)
    dimensions: int = Field(0, ge=0)
    """Numbers of a vector, unless others are asked for; 0: not known."""
    modality: str = "text->text"
    features: tuple[str, ...] = ()
    supported_parameters: tuple[str, ...] | None = None
    """None: the provider's."""
    default_parameters: dict[str, float] = {}
    fallbacks: Candidates = ()
    priority: int = 0
    created_at: Timestamp | None = None
    deprecated_at: Timestamp | None = None
    shutdown_at: Timestamp | None = None
    successor: str = ""
    """The model to go over to."""
    description: str = ""
    chars_per_token: float | None = Field(None, gt=0)
    tokens_per_message: int | None = Field(None, ge=0, le=MOST_TOKENS)
    prices: Prices = ()
    batch_shares: BatchShares | None = None
    """None: the provider's."""


class Period(_Since):
    """From when on a channel points at which model."""

    model: Name


class CanaryEntry(_Document):
    """The share of a channel's traffic that another version answers."""

    model: Name
    percent: float = Field(gt=0, le=100)
    by: Literal["user", "session", "request"] = "user"
    """Whose requests are answered alike; a session is what the caller names by `prompt_cache_key`."""


class ChannelEntry(_Document):
    """A name that points at one model now and at another later."""

    id: Name
    name: str = ""
    version: Literal["latest", "rc", "deprecated", ""] = ""
    aliases: tuple[Name, ...] = ()
    periods: Annotated[tuple[Period, ...], _Apart] = Field(min_length=1)
    fallbacks: Candidates | None = None
    """None: those of the model it points at."""
    priority: int = 0
    canary: CanaryEntry | None = None
    successor: str = ""
    """Empty: that of the model it points at; of a channel `deprecated`, its family's `latest`."""
    enabled: bool = True
    created_at: Timestamp | None = None
    deprecated_at: Timestamp | None = None
    shutdown_at: Timestamp | None = None
    description: str = ""


class ProviderDocument(_Document):
    """One catalogue file."""

    provider: Name
    on_disconnect: Literal["cancel", "drain"] = "cancel"
    chars_per_token: float = Field(3.0, gt=0)
    tokens_per_message: int = Field(4, ge=0, le=MOST_TOKENS)
    supported_parameters: tuple[str, ...] = ()
    default_parameters: dict[str, float] = {}
    batch_shares: BatchShares = ()
    """What lines of batches cost; it counts where the provider takes deferred calls for the model."""
    models: tuple[ModelEntry, ...] = Field(min_length=1)
    channels: tuple[ChannelEntry, ...] = ()


class UpstreamModel(_Document):
    """A model of an OpenAI-compatible upstream; prices as in the catalogue, or just one pair."""

    id: Name
    uri: str = ""
    """What the upstream is asked for; empty: the id."""
    name: str = ""
    aliases: tuple[Name, ...] = ()
    kind: Literal["chat", "embedding"] = "chat"
    context_length: int = Field(gt=0, le=MOST_TOKENS, alias="window")
    max_output_tokens: int = Field(4096, ge=0, le=MOST_TOKENS)
    features: tuple[str, ...] = ("streaming", "tools", "json_object", "json_schema")
    fallbacks: Candidates = ()
    chars_per_token: float = Field(3.5, gt=0)
    price: PriceEntry | None = None
    prices: Prices = ()

    @model_validator(mode="before")
    @classmethod
    def _priced_since_ever(cls, data: object) -> object:
        """Read a price without a date as one that always held."""
        if isinstance(data, dict) and isinstance(data.get("price"), dict):
            price = {"valid_from": date(2020, 1, 1), **data["price"]}
            return {**data, "price": price}
        return data

    @model_validator(mode="after")
    def _priced_apart(self) -> Self:
        if self.price is not None:
            _begin_apart((*self.prices, self.price))
        return self


class ExtraModel(ModelEntry):
    """A model that the provider's shipped catalogue file does not have: a tuned one, or one without a public price."""

    provider: Name
    """Whose it is: `yandexgpt`, `gigachat`."""
    uri: str = ""
    """What the provider is asked for; empty: the id."""
    prices: Prices = Field(min_length=1)


class ExtraDocument(_Document):
    """The file that ROUTER_EXTRA_MODELS_FILE names."""

    models: tuple[ExtraModel, ...] = Field(min_length=1)


class UpstreamEntry(_Document):
    """One OpenAI-compatible upstream."""

    name: Name
    base_url: str = Field(pattern=r"^https?://")
    api_key_env: str = ""
    """Environment variable with its key; empty: it takes none."""
    stream_usage: bool = True
    concurrency: int = Field(0, ge=0)
    """Calls at once under its key, over all routers; 0: as many as come."""
    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """How it is told the tokens of an answer at most."""
    reasoning_parameter: Literal["", "reasoning_content", "reasoning"] = ""
    """The field of a message in which it takes back what an earlier answer thought; empty: it does not."""
    tool_call_id_length: int = Field(0, ge=0, le=40)
    """Letters and digits that an id of a tool call must have there; 0: any will do."""
    on_disconnect: Literal["cancel", "drain"] = "cancel"
    models: tuple[UpstreamModel, ...] = Field(min_length=1)


class UpstreamsDocument(_Document):
    """The file that ROUTER_UPSTREAMS_FILE names."""

    upstreams: tuple[UpstreamEntry, ...]
