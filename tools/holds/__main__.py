"""`python -m tools.holds`: spend budgets of 100 requests' worth until nothing fits, and print how much was usable."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from statistics import mean
from typing import Final

from msgspec import structs

from services.gateway.clients.catalog import Model
from services.gateway.inference.estimate import affordable_output, estimate
from services.gateway.inference.pricing import LEAST_OUTPUT, ROOMY_OUTPUT
from services.gateway.inference.size.prompt_size import PromptSize, chat_size
from services.gateway.metering.settle import cost_micro_rub
from services.gateway.metering.usage_record import Price, TokenUsage
from services.gateway.schemas.inference import ChatRequest
from services.gateway.settings import AdmissionSettings
from services.router.domain.token_shares import TokenShares
from tools.holds.dialects import DIALECTS, Dialect
from tools.holds.spending import FIRST_TOKEN_S, NEARLY_SPENT, TOKENS_A_SECOND, Ask, Course, Result, Spending
from tools.holds.traffic import ordinary

PRICE: Final = Price("v1", 400_000, 800_000)
REQUESTS: Final = 2000
WORTH: Final = 100
BUDGETS: Final = 40
PARALLEL: Final = (1, 4, 16)
# The gateway's default (GATEWAY_ADMISSION_BUDGET_WAIT_S).
WAIT_S: Final = AdmissionSettings().budget_wait_s


@dataclass(frozen=True, slots=True)
class Sample:
    """A request with its size; what it costs depends on how long its answer may be."""

    request: ChatRequest
    size: PromptSize

    def bill(self, dialect: Dialect, max_tokens: int) -> TokenUsage:
        """Return what is used; `max_tokens` 0: as the caller asked."""
        return dialect.bill(_shortened(self.request, max_tokens) if max_tokens else self.request)

    def cost(self, dialect: Dialect) -> int:
        """Return the bill in micro-roubles."""
        return cost_micro_rub(self.bill(dialect, 0), PRICE)


def _shortened(request: ChatRequest, max_tokens: int) -> ChatRequest:
    return ChatRequest(model=request.model, messages=request.messages, max_tokens=max_tokens, n=request.n)


def learned(dialect: Dialect, samples: list[Sample]) -> Model:
    """Return the model with what a router has learned from the samples."""
    shares = TokenShares()
    for sample in samples:
        bound, script = sample.size.lesson
        shares.learn("m", script, bound=bound, tokens=dialect.bill(sample.request).tokens_input)
    return replace(dialect.model, learned_shares=shares.of("m"))


def usable(
    dialect: Dialect, model: Model, budget: int, samples: list[Sample], *, parallel: int, wait_s: float = WAIT_S
) -> Result:
    """Return how a budget is spent by so many callers at once, each of whom asks again as soon as it has an answer."""
    asks = (_ask(sample, dialect, model) for sample in samples)
    return Spending(budget, wait_s, asks).run(parallel)


def _ask(sample: Sample, dialect: Dialect, model: Model) -> Ask:
    size = sample.size
    least = size if size.max_tokens else structs.replace(size, max_tokens=LEAST_OUTPUT)

    def admit(left: int) -> Course | None:
        hold, max_tokens = admitted(size, model, left)
        return _course(sample, dialect, hold, max_tokens) if hold else None

    return Ask(admit, estimate(least, model, PRICE).hold_micro_rub)


def _course(sample: Sample, dialect: Dialect, hold: int, max_tokens: int) -> Course:
    bill = sample.bill(dialect, max_tokens)
    return Course(hold, cost_micro_rub(bill, PRICE), FIRST_TOKEN_S + bill.tokens_output / TOKENS_A_SECOND)


def admitted(size: PromptSize, model: Model, left: int) -> tuple[int, int]:
    """Return the hold and the length that the answer is lowered to (0: not), as the gateway decides; 0: refused."""
    hold = estimate(size, model, PRICE).hold_micro_rub
    if hold <= left:
        return hold, 0
    most = affordable_output(size, model, PRICE, left)
    if size.max_tokens or most < LEAST_OUTPUT:
        return 0, 0
    most = min(most, max(ROOMY_OUTPUT, affordable_output(size, model, PRICE, left // 2)))
    return estimate(structs.replace(size, max_tokens=most), model, PRICE).hold_micro_rub, most


def main() -> None:
    """Print the table."""
    # The same table each time; it needs no secrecy.
    rng = random.Random(7)  # noqa: S311
    samples = [Sample(request, chat_size(request)) for request in (ordinary(rng) for _ in range(REQUESTS))]
    print(f"{BUDGETS} budgets of {WORTH} requests' worth, callers at once: share spent, mean (worst);")
    print(
        f"of 100 requests: waited, refused before {NEARLY_SPENT:.0%} was spent; without and with a wait of {WAIT_S} s"
    )
    for name, dialect in DIALECTS.items():
        budget = WORTH * round(mean(sample.cost(dialect) for sample in samples))
        for title, model in (("bound", dialect.model), ("learned", learned(dialect, samples))):
            for wait_s in (0.0, WAIT_S):
                row = [
                    _cell([usable(dialect, model, budget, rng.sample(samples, 400), parallel=parallel, wait_s=wait_s)
                           for _ in range(BUDGETS)])
                    for parallel in PARALLEL
                ]  # fmt: skip
                cells = "  ".join(f"{parallel:>2}: {cell}" for parallel, cell in zip(PARALLEL, row, strict=True))
                print(f"{name:<10}{title:<8}{wait_s:>3} s  {cells}")


def _cell(results: list[Result]) -> str:
    shares = [each.share for each in results]
    waited = 100 * mean(each.waited / each.asked for each in results)
    needless = 100 * mean(each.needless / each.asked for each in results)
    return f"{mean(shares):6.1%} ({min(shares):.1%}) {waited:4.1f} {needless:4.1f}"


if __name__ == "__main__":
    main()
