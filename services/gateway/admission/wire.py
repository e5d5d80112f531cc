"""What Python and the scripts tell each other: msgpack maps, one class each. The scripts use the same field names."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from services.gateway.admission.dimensions import Dimension

NEVER_US: Final = 10**15
"""How long what waiting does not help with refuses: longer than any limit does."""


class Mode(StrEnum):
    """Decide whether a request may pass; say how its limits stand; restore what one that is running already holds.

    PEEK is of a request that is refused elsewhere: the answer is a refusal without a limit where none refuses here.
    """

    DECIDE = "decide"
    PEEK = "peek"
    RESTORE = "restore"


class Verdict(StrEnum):
    """What `admit.lua` found.

    ADMITTED: it may pass. REFUSED: nothing was consumed. COLD: budgets without counters, rebuild them and ask again.
    LATE: the caller has given up, nothing was consumed.
    """

    ADMITTED = "admitted"
    REFUSED = "refused"
    COLD = "cold"
    LATE = "late"


class SubjectWire(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose limits: "user", "key:<id>", "grant:<id>", "model:<id>" or "quota:<id>"; those set, by their dimension.

    `shadow` is the id of a cap that refuses nothing: what it would have refused is counted under it.
    """

    name: str
    limits: dict[str, int]
    shadow: str = ""


class ShadowWire(msgspec.Struct, frozen=True):
    """A budget that only watches."""

    id: str
    limit: int


class BudgetWire(msgspec.Struct, frozen=True, omit_defaults=True):
    """The counters of one subject and period, and the budgets that cap it.

    Attributes:
        limit: of the tightest that refuses.
        endless: it has no period, so its counters live by use.
        shadow: those that only watch.
        owner: the details key of an organization, whose members share it; "": it is the caller's own.
        ends_s: Unix second in which a whole budget covers the request; 0: none ever does.
    """

    subject: str
    key: str
    limit: int
    endless: bool = False
    shadow: list[ShadowWire] = []
    owner: str = ""
    ends_s: int = 0


class AdmitCall(msgspec.Struct, frozen=True):
    """The argument of `admit.lua`.

    Attributes:
        tokens: what it may use at most.
        hold: micro-roubles it may cost at most.
        facts: JSON that is kept beside the hold.
        tally: a counter that is held in where it is there, and that caps nothing; "": none.
    """

    request_id: str
    mode: Mode
    lease_us: int
    tokens: int
    hold: int
    subjects: Sequence[SubjectWire]
    budgets: list[BudgetWire]
    facts: str
    tally: str = ""


class HalfCall(AdmitCall, frozen=True, kw_only=True):
    """The argument of `admit.lua` for one of the owners that a request touches in a cluster.

    Attributes:
        elsewhere: of the user's half: names of the counters that the other halves hold in.
        member: of an organization's half: whose request it is.
    """

    elsewhere: tuple[str, ...] | None = None
    member: str | None = None


class Violation(msgspec.Struct, frozen=True):
    """Which limit of whom refused; `retry_us` is how long it lasts (`NEVER_US`: for ever), `budget_key` names a
    budget's counters.

    `left` is what the tightest budget has left, when it was a budget that refused; `unspent` what it would have left if
    nothing that runs cost anything; `used` what is spent and held of the one that refused.
    """

    dimension: Dimension
    subject: str
    limit: int
    retry_us: float
    budget_key: str = ""
    left: int = 0
    unspent: int = 0
    used: int = 0


class FigureWire(msgspec.Struct, frozen=True):
    """What is left of a dimension's tightest limit, and when it is whole again."""

    dimension: Dimension
    limit: int
    remaining: int
    reset_us: int


class AdmitAnswer(msgspec.Struct, frozen=True):
    """The answer of `admit.lua`.

    Attributes:
        now_us: Redis time of the decision.
        figures: one for each dimension that is limited, in the order of the table.
        budget_left: what each budget has left, in the order asked.
        budget_epochs: which rebuild each budget's counter came from.
        cold: names of counters that must be rebuilt first.
        shadowed: ids of watching caps that would have refused.
        shared_now_us: the same of the organization's half, in a cluster, where that has a clock of its own; else 0.
    """

    verdict: Verdict
    now_us: int
    figures: tuple[FigureWire, ...] = ()
    budget_left: tuple[int, ...] = ()
    budget_epochs: tuple[int, ...] = ()
    cold: tuple[str, ...] = ()
    violated: Violation | None = None
    shadowed: tuple[str, ...] = ()
    shared_now_us: int = 0


class SettleCall(msgspec.Struct, frozen=True):
    """The argument of `settle.lua`; `cost` in micro-roubles, times are Redis times but `made_ms`, that of the id.

    `explanation` is kept for `explained_ms`; 0: there is none.
    """

    request_id: str
    made_ms: int
    tokens: int
    cost: int
    settled_us: int
    admitted_us: int
    budget_keys: tuple[str, ...]
    explanation: str = ""
    explained_ms: int = 0


class RenewCall(msgspec.Struct, frozen=True):
    """The argument of `renew.lua`; it answers the ids whose hold is gone."""

    lease_us: int
    request_ids: list[str]


class SeedCall(msgspec.Struct, frozen=True):
    """The argument of `seed.lua`: a counter that is missing and what was spent, in micro-roubles.

    `epoch_ms`: requests whose ids are older come from stored rows, those from then on from this counter. `newer` is
    what such cost that were stored already: a clock was ahead, or was set back.
    """

    budget_key: str
    spent: int
    newer: int
    epoch_ms: int


class RecountCall(msgspec.Struct, frozen=True):
    """The argument of `recount.lua`: a counter, its epoch, and what requests before the epoch cost by now."""

    budget_key: str
    epoch_ms: int
    spent: int


class ReconcileCall(msgspec.Struct, frozen=True):
    """The argument of `reconcile.lua`: a counter, what it said when it was read, what it should say."""

    budget_key: str
    used: int
    spent: int


class TakeCall(msgspec.Struct, frozen=True):
    """The argument of `take.lua`: one request of a bucket of `limit` that refills in `window_us`."""

    limit: int
    window_us: int


class HoldDetail(msgspec.Struct, frozen=True):
    """What a script keeps of a running request; it keeps more than Python reads. See `HalfCall`."""

    hold: int
    facts: str
    elsewhere: tuple[str, ...] = ()
    member: str = ""


pack = msgspec.msgpack.Encoder().encode
read_answer = msgspec.msgpack.Decoder(AdmitAnswer).decode
read_hold = msgspec.msgpack.Decoder(HoldDetail).decode
