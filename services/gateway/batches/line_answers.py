"""One line of a batch: asked as its owner would ask it, and what becomes of that.

Its name stands for the line in place of an idempotency key: whoever asks again, after a gateway died in the middle,
gets the answer that was billed, or asks in place of one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import structlog
from starlette.types import Scope, Send

from servicekit.clock import Clock
from servicekit.errors import (
    Conflict,
    DeadlineExceeded,
    ErrorReason,
    Internal,
    ProviderFailed,
    QuotaExceeded,
    ServiceError,
    Unauthenticated,
    Unavailable,
    name_of,
)
from services.gateway.admission.dimensions import LIMITED, ROWS, CallerLimits, Limits, Rule
from services.gateway.admission.request import AdmissionRefused
from services.gateway.batches import metrics
from services.gateway.batches.holders import Holders
from services.gateway.batches.inner_request import InnerAnswer, answered
from services.gateway.batches.line_route import LineRoute
from services.gateway.clients.caller import Caller
from services.gateway.clients.router.batch_work import BatchWorkClient, ClaimedLine
from services.gateway.edge.request_context import Deferral, RequestContext
from services.gateway.identity.access import check_scope

log = structlog.get_logger()

# After so many tries the last failure is the answer.
MOST_ATTEMPTS: Final = 5
# Nobody knew whether the line may be asked: soon again.
SOON_S: Final = 2.0
# Others hold what a budget has left: deferred calls take minutes, and all lines of a batch would ask again at once.
ROOM_S: Final = 15.0
# What became of a line is told again while the router is away: the first pause, and the longest.
TELL_AGAIN_S: Final = 0.5
LONGEST_PAUSE_S: Final = 15.0
_MAY_PASS: Final = (Unavailable, DeadlineExceeded, ProviderFailed, QuotaExceeded, Internal)


class LineAnswers:
    """Has lines answered.

    Args:
        work: hears what became of them.
        routes: endpoint -> what answers.
        holders: say who pays.
        timeout_s: for one line.
    """

    def __init__(
        self,
        work: BatchWorkClient,
        routes: Mapping[str, LineRoute],
        holders: Holders,
        clock: Clock,
        *,
        timeout_s: float,
    ) -> None:
        self._work = work
        self._routes = routes
        self._holders = holders
        self._clock = clock
        self._timeout_s = timeout_s

    async def answer(self, line: ClaimedLine) -> None:
        """Have a line answered and say what became of it."""
        context = RequestContext(_scope(line))
        context.deferral = Deferral(line.name, self._timeout_s)
        found = await answered(context, lambda send: self._serve(context, line, send))
        try:
            await self._tell(line, context, found)
        except Conflict:
            # It took so long that another worker has it: that one gets the same answer, and nobody pays twice.
            metrics.LINES.labels("lost").inc()
            log.warning("batches.line_lost", batch=line.batch_id, line=line.number)
        except ServiceError as exc:
            # The lease ends, and whoever claims the line then finds the answer that was kept.
            log.warning("batches.line_not_concluded", batch=line.batch_id, line=line.number, error=name_of(exc))

    async def _tell(self, line: ClaimedLine, context: RequestContext, found: InnerAnswer) -> None:
        pause_s = TELL_AGAIN_S
        while True:
            try:
                await self._conclude(line, context, found)
            except (Unavailable, DeadlineExceeded) as exc:
                told = {"batch": line.batch_id, "line": line.number, "error": name_of(exc)}
                log.warning("batches.line_told_later", **told)
            else:
                return
            await self._clock.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    async def _serve(self, context: RequestContext, line: ClaimedLine, send: Send) -> None:
        route = self._routes[line.endpoint]
        context.route = line.endpoint
        # The grant whose budget is spent may be over, with the session in which it was given, while the token's lives.
        grant_id = line.token_grant or line.application
        caller = await self._holders.of(line.owner, line.key_id, grant_id, context.call)
        context.caller = unhurried(caller)
        # It was there when the batch was made, up to a day ago.
        check_scope(caller, route.need)
        await route.serve(context, line.body, send)

    async def _conclude(self, line: ClaimedLine, context: RequestContext, found: InnerAnswer) -> None:
        later = None if found.error is None or context.cost_micro_rub else self._again(line, found.error)
        if later is None:
            request_id = context.replay_of or context.request_id
            await self._work.finish(line, request_id, found.status, found.body)
            metrics.LINES.labels("answered" if found.status < 400 else "failed").inc()
        else:
            await self._work.release(line, later[0], was_tried=later[1])
            metrics.LINES.labels("later").inc()

    def _again(self, line: ClaimedLine, error: ServiceError) -> tuple[float, bool] | None:
        """Return after how many seconds to ask again, and whether this was a try; None: the failure is the answer."""
        if isinstance(error, AdmissionRefused):
            return self._when_admitted(line, error)
        if isinstance(error, Unauthenticated | Conflict):
            in_progress = error.reason is ErrorReason.IDEMPOTENCY_IN_PROGRESS
            return (SOON_S, False) if in_progress else None
        if not isinstance(error, _MAY_PASS) or line.attempt >= MOST_ATTEMPTS:
            return None
        return max(error.retry_after_s or 0.0, float(2**line.attempt)), True

    def _when_admitted(self, line: ClaimedLine, error: AdmissionRefused) -> tuple[float, bool] | None:
        """Limits are waited for while the batch has time; a budget that does not cover the line ends it.

        One that is held by what runs, as by other lines of the same batch, has room again when that is settled.
        """
        is_of_budget = error.reason is ErrorReason.BUDGET_EXCEEDED
        if is_of_budget and not error.may_fit_later:
            return None
        wait_s = ROOM_S if is_of_budget else error.retry_after_s or SOON_S
        left_s = (line.expires_at - self._clock.now()).total_seconds()
        return None if wait_s > left_s else (wait_s, False)


def unhurried(caller: Caller) -> Caller:
    """Return a caller whose limits a minute and at once do not count: they protect from haste, and a batch has none.

    What it may ask a day and spend counts as ever.
    """
    limits = CallerLimits(*(_by_day(each) for each in (caller.limits.user, caller.limits.key, caller.limits.model)))
    quotas = tuple([quota for quota in caller.quotas if ROWS[quota.dimension].rule is Rule.CALENDAR])
    return replace(caller, limits=limits, quotas=quotas)


def _by_day(limits: Limits) -> Limits:
    return Limits(**{row.setting: getattr(limits, row.setting) for row in LIMITED if row.rule is Rule.CALENDAR})


def _scope(line: ClaimedLine) -> Scope:
    headers = [(b"idempotency-key", line.name.encode())]
    return {"type": "http", "method": "POST", "path": line.endpoint, "query_string": b"", "headers": headers}
