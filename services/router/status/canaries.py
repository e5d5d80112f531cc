"""Metrics of both sides of a canary: errors, duration, length and cost, since this process started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.router import metrics
from services.router.domain.canary import Arm, Drawn, price_at
from services.router.domain.catalog import Model
from services.router.domain.completion import Usage

OK, FAILED = "ok", "failed"


@dataclass(slots=True)
class Side:
    """Metrics of one side; sums over its answers."""

    channel: str
    arm: Arm
    model: str
    answers: int = 0
    failures: int = 0
    first_content_s: float = 0.0
    tokens_output: int = 0
    cost_micro_rub: int = 0


class Trial:
    """One request of a canary's channel: reports to its side. Answers of other models are not counted."""

    __slots__ = ("_model", "_side")

    def __init__(self, side: Side, model: Model) -> None:
        self._side = side
        self._model = model

    def tried(self, model: Model, seconds: float, *, failed: bool) -> None:
        """Count a try: until its first content, or its failure that speaks against the provider."""
        side = self._side
        if model is not self._model:
            return
        metrics.CANARY_ANSWERS.labels(side.channel, side.arm, FAILED if failed else OK).inc()
        if failed:
            side.failures += 1
            return
        side.answers += 1
        side.first_content_s += seconds
        metrics.CANARY_FIRST_CONTENT.labels(side.channel, side.arm).observe(seconds)

    def ended(self, model: Model, usage: Usage | None, now: datetime) -> None:
        """Count the length of an answer and what it costs by the catalogue."""
        side, price = self._side, price_at(model, now)
        if model is not self._model or usage is None or price is None:
            return
        milli = (
            usage.prompt_tokens * price.input_micro_rub_per_1k + usage.completion_tokens * price.output_micro_rub_per_1k
        )
        side.tokens_output += usage.completion_tokens
        side.cost_micro_rub += milli // 1000
        metrics.CANARY_TOKENS.labels(side.channel, side.arm).inc(usage.completion_tokens)
        metrics.CANARY_COST.labels(side.channel, side.arm).inc(milli // 1000)


class Canaries:
    """The sides of all canaries by channel, side and model: a rule with another model starts from zero."""

    def __init__(self) -> None:
        self._sides: dict[tuple[str, Arm, str], Side] = {}

    def trial(self, channel: str, drawn: Drawn) -> Trial:
        """Return what a request that was drawn reports to."""
        key = (channel, drawn.arm, drawn.model.resolved_model)
        side = self._sides.setdefault(key, Side(*key))
        return Trial(side, drawn.model)

    def __iter__(self) -> Iterator[Side]:
        return iter(list(self._sides.values()))
