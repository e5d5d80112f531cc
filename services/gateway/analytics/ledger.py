"""GET /v1/usage/ledger/check: whether the sums are those of the rows, to the micro-rouble."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel

from servicekit.clock import Clock
from services.gateway.clients.usage import UsageClient
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope

NEEDS: Final[Needs] = {"GET /v1/usage/ledger/check": Scope.ADMIN}


class BrokenBody(BaseModel):
    """A place where an invariant does not hold."""

    invariant: str
    detail: str


class LedgerBody(BaseModel):
    """What a check found; `broken` has a few examples of each invariant."""

    object: str = "usage.ledger_check"
    holds: bool
    since: str
    rows_checked: int
    broken: list[BrokenBody]


def ledger_router(usage: UsageClient, clock: Clock) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["administration"])

    @router.get("/v1/usage/ledger/check", response_model=LedgerBody)
    async def check(
        context: Context,
        days: Annotated[int, Query(ge=1, le=31, description="UTC days that are compared, today included.")] = 2,
    ) -> dict[str, Any]:
        """Compare all stored requests of some days with every sum that is kept of them."""
        since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
        found = await usage.check_ledger(context.known_caller.user_id, since, context.call)
        return {
            "holds": not found.broken,
            "since": since.isoformat(),
            "rows_checked": found.rows_checked,
            "broken": [{"invariant": invariant, "detail": detail} for invariant, detail in found.broken],
        }

    return router
