"""Bodies of the answers of inference that FastAPI writes."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from services.gateway.inference.routes.canary_bodies import CanaryBody


class Pricing(BaseModel):
    """Roubles for one token, as decimals; `request` is always 0."""

    prompt: str
    completion: str
    cached_prompt: str
    request: str
    currency: str
    version: str


class DatedPricing(BaseModel):
    """Roubles for one token from a day on, until the next entry's."""

    valid_from: str
    prompt: str
    completion: str
    cached_prompt: str
    version: str


class Architecture(BaseModel):
    """What goes in and out; the lists are what pickers of models filter by."""

    modality: str
    input_modalities: list[str]
    output_modalities: list[str]
    tokenizer: str
    instruct_type: str | None


class ModelLimits(BaseModel):
    """What one request can hold."""

    context_length: int | None
    max_completion_tokens: int | None


class Lifecycle(BaseModel):
    """When a model ends; null for models that stay. `status` is candidate, active or deprecated."""

    status: str
    deprecated: bool
    deprecation_date: str | None
    deprecated_at: str | None
    shutdown_date: str | None
    successor: str | None


class ModelBody(BaseModel):
    """A model: OpenAI's four fields, release 1.0's, its lifecycle, and whether the credential may use it."""

    id: str
    object: str
    created: int
    owned_by: str
    name: str
    description: str
    provider: str
    version: str
    kind: str
    type: str
    resolved_model: str
    resolved_since: str | None
    aliases: list[str]
    pricing: Pricing | None
    price_history: list[DatedPricing]
    context_length: int | None
    architecture: Architecture
    limits: ModelLimits
    supported_features: list[str]
    supported_parameters: list[str]
    default_parameters: dict[str, float]
    lifecycle: Lifecycle
    shutdown_date: str | None
    allowed: bool


class ModelList(BaseModel):
    """The models that the credential may use, or all."""

    object: str
    data: list[ModelBody]


class ParametersData(BaseModel):
    """What a model takes, and the medians of what is commonly given."""

    model: str
    supported_parameters: list[str]
    temperature_p50: float
    top_p_p50: float
    frequency_penalty_p50: float
    presence_penalty_p50: float


class ParametersBody(BaseModel):
    """Parameters of one model."""

    data: ParametersData


class GenerationData(BaseModel):
    """What one generation was: release 1.0's fields, and money as exact decimals beside the number."""

    id: str
    model: str
    resolved_model: str
    provider: str
    streamed: bool
    generation_time: int
    first_token_ms: int
    created_at: str
    tokens_prompt: int
    tokens_completion: int
    tokens_cached: int
    tokens_reasoning: int
    total_cost: float
    cost_rub: str
    finish_reason: str | None


class GenerationBody(BaseModel):
    """One generation."""

    data: GenerationData


class AttemptBody(BaseModel):
    """One try of one model; no reason means that it answered."""

    provider: str
    model: str
    reason: str | None
    latency_ms: int


class TimingBody(BaseModel):
    """Milliseconds until the answer began: with us, waiting for others, at the provider."""

    gateway_ms: float
    queue_ms: float
    provider_ms: float


class MetLimitBody(BaseModel):
    """What a request took of a limit, and what was left when it had ended; `reset_s` as of its admission."""

    limit: str
    of: int
    consumed: int
    left: int
    reset_s: float


class MetBudgetBody(BaseModel):
    """What a request held of a budget and cost, and what was left when it had ended; no `id`: it came with the tier."""

    id: str | None
    mode: str
    subject: str
    period: str
    of_rub: str
    held_rub: str
    consumed_rub: str
    left_rub: str


class ReachedBody(BaseModel):
    """A cap that told, or would have refused, and did not refuse."""

    id: str
    mode: str


class PricePartBody(BaseModel):
    """One part of a cost: tokens at a price, in exact roubles."""

    tokens: int
    rub_per_1k: str
    rub: str


class PriceBody(BaseModel):
    """How a cost comes about; `cost_rub` is the sum, rounded up to a whole micro-rouble."""

    version: str
    input: PricePartBody
    cached: PricePartBody
    output: PricePartBody


class RequestBody(BaseModel):
    """Everything known about one request of the caller; null is what is not known any more."""

    id: str
    endpoint: str
    requested_model: str
    model: str
    resolved_model: str
    provider: str
    status: str
    http_status: int
    error_code: str | None
    finish_reason: str | None
    stream: bool
    started_at: str
    first_token_ms: int
    latency_ms: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_reasoning: int
    cost_rub: str
    price_version: str
    counted_by: str
    flags: list[str]
    over_hold_rub: str
    dropped_params: list[str]
    cache_status: str | None
    saved_rub: str
    queue_ms: int
    fallback: bool
    metadata: dict[str, str]
    trace_id: str
    attempts: list[AttemptBody]
    rule: str | None
    candidates: list[str] | None
    timing: TimingBody | None
    limits: list[MetLimitBody] | None
    budgets: list[MetBudgetBody] | None
    reached: list[ReachedBody] | None
    price: PriceBody | None


class ModelStatusBody(BaseModel):
    """One model version as all routers saw it in the last five minutes; times are of answers."""

    model: str
    status: str
    reason: str | None
    since: datetime | None
    latency_ms: int
    latency_p50_ms: int
    latency_p95_ms: int
    first_token_p50_ms: int
    first_token_p95_ms: int
    success_rate: float
    calls: int
    updated_at: str


class ProviderStatusBody(BaseModel):
    """One provider: as well as the worst of its models that are in use, unless all are down."""

    provider: str
    status: str
    since: datetime | None
    latency_ms: int
    success_rate: float
    calls: int
    models: list[ModelStatusBody]


class ProvidersBody(BaseModel):
    """All providers, and the canaries that the router which answered has seen."""

    data: list[ProviderStatusBody]
    canaries: list[CanaryBody]


class ProviderHealthBody(BaseModel):
    """Every provider's state in one word."""

    status: str
    providers: dict[str, str]
