"""`python -m tools.holds`: spend budgets of 100 requests' worth until nothing fits, and print how much was usable."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace
from statistics import mean
from typing import Final

from services.gateway.clients.catalog import Model
from services.gateway.inference.estimate import affordable_output, estimate
from services.gateway.inference.pricing import LEAST_OUTPUT, ROOMY_OUTPUT
from services.gateway.inference.schemas import ChatRequest
from services.gateway.inference.size.prompt_size import PromptSize, chat_size
from services.gateway.metering.settle import cost_micro_rub
from services.gateway.metering.usage_record import Price
from services.router.domain.token_shares import TokenShares
from tools.holds.dialects import DIALECTS, Dialect
from tools.holds.traffic import ordinary

PRICE: Final = Price("v1", 400_000, 800_000)
REQUESTS: Final = 2000
WORTH: Final = 100
BUDGETS: Final = 40
PARALLEL: Final = (1, 4, 16)
# So many refusals in a row, and the budget counts as spent: a caller's next request may be a smaller one.
GIVES_UP_AFTER: Final = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """A request with its size; what it costs depends on how long its answer may be."""

    request: ChatRequest
    size: PromptSize

    def cost(self, dialect: Dialect, max_tokens: int) -> int:
        """Return the bill in micro-roubles; `max_tokens` 0: as the caller asked."""
        asked = self.request
        if max_tokens:
            asked = _shortened(asked, max_tokens)
        return cost_micro_rub(dialect.bill(asked), PRICE)


def _shortened(request: ChatRequest, max_tokens: int) -> ChatRequest:
    return ChatRequest(model=request.model, messages=request.messages, max_tokens=max_tokens, n=request.n)


def learned(dialect: Dialect, samples: list[Sample]) -> Model:
    """Return the model with what a router has learned from the samples."""
    shares = TokenShares()
    for sample in samples:
        bound, script = sample.size.lesson
        shares.learn("m", script, bound=bound, tokens=dialect.bill(sample.request).tokens_input)
    return replace(dialect.model, learned_shares=shares.of("m"))


class Spending:
    """A budget under so many requests at once; `waits` counts those that had to wait until another one was settled."""

    def __init__(self, budget: int, parallel: int) -> None:
        self._budget = budget
        self._parallel = parallel
        self._running: deque[tuple[int, int]] = deque()
        self._spent = self._held = 0
        self.waits = 0

    @property
    def share(self) -> float:
        """Return how much of the budget is spent when all that runs is settled."""
        return (self._spent + sum(cost for _, cost in self._running)) / self._budget

    def ask(self, sample: Sample, dialect: Dialect, model: Model) -> bool:
        """Run a request, as soon as what runs before it leaves enough; tell whether it was admitted in the end."""
        while True:
            hold, max_tokens = 0, 0
            if len(self._running) < self._parallel:
                hold, max_tokens = admitted(sample.size, model, self._budget - self._spent - self._held)
            if hold:
                self._running.append((hold, sample.cost(dialect, max_tokens)))
                self._held += hold
                return True
            if not self._running:
                return False
            self.waits += len(self._running) < self._parallel
            self._settle_oldest()

    def _settle_oldest(self) -> None:
        hold, cost = self._running.popleft()
        self._held, self._spent = self._held - hold, self._spent + cost


def usable(dialect: Dialect, model: Model, budget: int, samples: list[Sample], parallel: int) -> tuple[float, float]:
    """Return the share of a budget that is spent when nothing fits any more, and the waits of a hundred requests."""
    spending, refused, asked = Spending(budget, parallel), 0, 0
    for sample in samples:
        if refused == GIVES_UP_AFTER:
            break
        asked += 1
        refused = 0 if spending.ask(sample, dialect, model) else refused + 1
    return spending.share, 100 * spending.waits / asked


def admitted(size: PromptSize, model: Model, left: int) -> tuple[int, int]:
    """Return the hold and the length that the answer is lowered to (0: not), as the gateway decides; 0: refused."""
    hold = estimate(size, model, PRICE).hold_micro_rub
    if hold <= left:
        return hold, 0
    most = affordable_output(size, model, PRICE, left)
    if size.max_tokens or most < LEAST_OUTPUT:
        return 0, 0
    most = min(most, max(ROOMY_OUTPUT, affordable_output(size, model, PRICE, left // 2)))
    return estimate(replace(size, max_tokens=most), model, PRICE).hold_micro_rub, most


def main() -> None:
    """Print the table."""
    # The same table each time; it needs no secrecy.
    rng = random.Random(7)  # noqa: S311
    samples = [Sample(request, chat_size(request)) for request in (ordinary(rng) for _ in range(REQUESTS))]
    print(f"{BUDGETS} budgets of {WORTH} requests' worth: share spent, mean (worst); waits of 100 requests")
    for name, dialect in DIALECTS.items():
        budget = WORTH * round(mean(sample.cost(dialect, 0) for sample in samples))
        for title, model in (("bound", dialect.model), ("learned", learned(dialect, samples))):
            shares = " ".join(f"{key}={share:.3f}" for key, share in model.learned_shares.items())
            row = []
            for parallel in PARALLEL:
                found = [usable(dialect, model, budget, rng.sample(samples, 400), parallel) for _ in range(BUDGETS)]
                spent, waits = [share for share, _ in found], mean(waited for _, waited in found)
                row.append(f"{parallel:>2} at once {mean(spent):6.1%} ({min(spent):.1%}), waits {waits:4.1f}")
            print(f"{name:<10} {title:<8} {'  '.join(row)}  {shares}")


if __name__ == "__main__":
    main()
