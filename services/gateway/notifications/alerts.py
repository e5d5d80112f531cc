"""/v1/alerts: rules, which say of what somebody wants to be told, and the link that ends mails."""

from __future__ import annotations

import html
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response

from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.notifications.views import RuleOrder, RuleView
from services.gateway.edge.reading.json_body import body_description, json_of
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.identity.access import Needs, Open, Scope
from services.gateway.notifications.bodies import (
    DeletedBody,
    RuleBody,
    RuleChangeBody,
    RuleList,
    RuleOrderBody,
)

Asked = Annotated[RequestContext, Depends(current_context)]
Token = Annotated[str, Query(min_length=1, max_length=512)]
UNSUBSCRIBE: Final = "/unsubscribe"
NEEDS: Final[Needs] = {
    "GET /v1/alerts": Scope.USAGE_READ,
    "POST /v1/alerts": Scope.NOTIFICATIONS_WRITE,
    "PATCH /v1/alerts/{rule_id}": Scope.NOTIFICATIONS_WRITE,
    "DELETE /v1/alerts/{rule_id}": Scope.NOTIFICATIONS_WRITE,
    UNSUBSCRIBE: Open.EVERYONE,
}
# Nothing is loaded, and nobody frames it: a page of one button.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
BUTTON: Final = (
    '<!doctype html><html lang="ru"><meta charset="utf-8"><title>Развилка</title>'
    '<form method="post" action="{action}"><button>Отключить уведомления / Unsubscribe</button></form></html>'
)
DONE: Final = (
    '<!doctype html><html lang="ru"><meta charset="utf-8"><title>Развилка</title>'
    "<p>Уведомления на почту отключены. / You will get no more mails.</p></html>"
)


def alerts_router(notifications: NotificationClient) -> APIRouter:
    """Return the routes of rules."""
    router = APIRouter(tags=["notifications"])

    @router.get("/v1/alerts", response_model=RuleList)
    async def list_rules(context: Asked) -> dict[str, Any]:
        """List the rules in the order in which they were made."""
        rules = await notifications.list_rules(context.known_caller.user_id, context.call)
        return {"data": [rule_body(rule) for rule in rules]}

    @router.post("/v1/alerts", response_model=RuleBody, status_code=201, openapi_extra=body_description(RuleOrderBody))
    async def create_rule(
        context: Asked, order: Annotated[RuleOrderBody, Depends(json_of(RuleOrderBody))]
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

    @router.patch("/v1/alerts/{rule_id}", response_model=RuleBody, openapi_extra=body_description(RuleChangeBody))
    async def change_rule(
        context: Asked, rule_id: str, change: Annotated[RuleChangeBody, Depends(json_of(RuleChangeBody))]
    ) -> dict[str, Any]:
        """Change what is given; the kind of a rule stays."""
        given = change.model_dump(exclude_none=True)
        changed = await notifications.change_rule(context.known_caller.user_id, rule_id, given, context.call)
        return rule_body(changed)

    @router.delete("/v1/alerts/{rule_id}", response_model=DeletedBody)
    async def delete_rule(context: Asked, rule_id: str) -> dict[str, Any]:
        """Forget a rule; what is on its way arrives all the same."""
        await notifications.delete_rule(context.known_caller.user_id, rule_id, context.call)
        return {"id": rule_id}

    return router


def unsubscribe_router(notifications: NotificationClient) -> APIRouter:
    """Return the routes of the link in mails (RFC 8058): looking at it changes nothing, since scanners of mail look."""
    router = APIRouter(tags=["notifications"])

    @router.get(UNSUBSCRIBE, response_class=HTMLResponse)
    async def ask(token: Token) -> Response:
        """Show the button that ends mails."""
        action = html.escape(f"{UNSUBSCRIBE}?token={token}", quote=True)
        return HTMLResponse(BUTTON.format(action=action), headers=PAGE_HEADERS)

    @router.post(UNSUBSCRIBE, response_class=HTMLResponse)
    async def unsubscribe(context: Asked, token: Token) -> Response:
        """End mails: by the button, or by a mail program itself."""
        await notifications.unsubscribe(token, context.call)
        return HTMLResponse(DONE, headers=PAGE_HEADERS)

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
