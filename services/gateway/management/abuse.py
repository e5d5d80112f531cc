"""GET /v1/admin/abuse: who is refused, for what, from where."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.refusals import By, Refusals, Refused, Window
from services.gateway.management.bodies import AbuseBody

NEEDS: Final[Needs] = {"GET /v1/admin/abuse": Scope.ADMIN}


def abuse_router(refusals: Refusals) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["administration"])

    @router.get("/v1/admin/abuse", response_model=AbuseBody)
    async def who_is_refused(
        by: By = By.ADDRESS,
        window: Window = Window.HOUR,
        reason: Annotated[str, Query(max_length=64)] = "",
        subject: Annotated[str, Query(max_length=128)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> dict[str, Any]:
        """List who is refused most, by account, key, client or address, with the error code; most refused first."""
        found = await refusals.most(by, window)
        wanted = [each for each in found if reason in ("", each.reason) and subject in ("", each.subject)]
        return {"by": by, "window": window, "data": [refused_body(each) for each in wanted[:limit]]}

    return router


def refused_body(refused: Refused) -> dict[str, Any]:
    """Return a subject as the API shows it."""
    return {"subject": refused.subject, "reason": refused.reason, "refusals": refused.refusals}
