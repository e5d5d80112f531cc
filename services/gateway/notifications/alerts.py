"""/v1/alerts: rules, which say of what somebody wants to be told."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.notifications.views import RuleOrder, RuleView
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.notifications.bodies import (
    DeletedBody,
    RuleBody,
    RuleChangeBody,
    RuleList,
    RuleOrderBody,
)

NEEDS: Final[Needs] = {
    "GET /v1/alerts": Scope.USAGE_READ,
    "POST /v1/alerts": Scope.NOTIFICATIONS_WRITE,
    "PATCH /v1/alerts/{rule_id}": Scope.NOTIFICATIONS_WRITE,
    "DELETE /v1/alerts/{rule_id}": Scope.NOTIFICATIONS_WRITE,
}


def alerts_router(notifications: NotificationClient) -> APIRouter:
    """Return the routes of rules."""
    router = APIRouter(tags=["notifications"])

    @router.get("/v1/alerts", response_model=RuleList)
    async def list_rules(context: Context) -> dict[str, Any]:
        """List the rules in the order in which they were made."""
        rules = await notifications.list_rules(context.known_caller.user_id, context.call)
        return {"data": [rule_body(rule) for rule in rules]}

    @router.post("/v1/alerts", response_model=RuleBody, status_code=201)
    async def create_rule(
        context: Context, order: Annotated[RuleOrderBody, Depends(json_of(RuleOrderBody))]
    ) -> dict[str, Any]:
        """Make a rule: of which kind of events somebody is told, by which channels."""
        says = RuleOrder(
            order.kind,
            tuple(order.channels),
            order.subject,
            tuple(order.thresholds),
            order.cooldown_s,
            order.enabled,
        )
        caller = context.known_caller
        return rule_body(await notifications.create_rule(caller.user_id, says, context.call, maker=caller.subject))

    @router.patch("/v1/alerts/{rule_id}", response_model=RuleBody)
    async def change_rule(
        context: Context, rule_id: str, change: Annotated[RuleChangeBody, Depends(json_of(RuleChangeBody))]
    ) -> dict[str, Any]:
        """Change what is given; the kind of a rule stays."""
        given = change.model_dump(exclude_none=True)
        changed = await notifications.change_rule(context.known_caller.user_id, rule_id, given, context.call)
        return rule_body(changed)

    @router.delete("/v1/alerts/{rule_id}", response_model=DeletedBody)
    async def delete_rule(context: Context, rule_id: str) -> dict[str, Any]:
        """Forget a rule; what is on its way arrives all the same."""
        await notifications.delete_rule(context.known_caller.user_id, rule_id, context.call)
        return {"id": rule_id}

    return router


def rule_body(rule: RuleView) -> dict[str, Any]:
    """Return a rule as the API shows it."""
    says = rule.says
    return {
        "id": rule.id,
        "kind": says.kind,
        "channels": list(says.channels),
        "subject": says.subject or None,
        "thresholds": list(says.thresholds),
        "cooldown_s": says.cooldown_s,
        "enabled": says.enabled,
        "created_at": rule.created_at,
        "made_by": rule.maker or None,
    }
