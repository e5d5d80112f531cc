"""What went by a channel, and the button that tests it: the same for webhooks and for all other channels."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from services.gateway.clients.notifications.client import NotificationClient
from services.gateway.clients.notifications.views import AttemptView, DeliveryView
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.notifications import channels, webhooks
from services.gateway.notifications.bodies import DeliveryList, SentBody

OF_ONE: Final = tuple(f"{path}/{{channel_id}}" for path in (webhooks.PATH, channels.PATH))
NEEDS: Final[Needs] = {
    **{f"POST {path}/test": Scope.NOTIFICATIONS_WRITE for path in OF_ONE},
    **{f"GET {path}/deliveries": Scope.USAGE_READ for path in OF_ONE},
    **{f"POST {path}/deliveries/{{delivery_id}}/redeliver": Scope.NOTIFICATIONS_WRITE for path in OF_ONE},
}


def deliveries_router(notifications: NotificationClient, path: str) -> APIRouter:
    """Return the routes behind the path of one channel."""
    router = APIRouter(tags=["notifications"])

    @router.post(f"{path}/test", response_model=SentBody, status_code=202)
    async def test_channel(context: Context, channel_id: str) -> dict[str, Any]:
        """Send a test on its way; the deliveries tell what becomes of it."""
        await notifications.test_channel(context.known_caller.user_id, channel_id, context.call)
        return {"id": channel_id}

    @router.get(f"{path}/deliveries", response_model=DeliveryList)
    async def list_deliveries(
        context: Context,
        channel_id: str,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        page: Annotated[str, Query(max_length=512)] = "",
    ) -> dict[str, Any]:
        """List what went by the channel with every attempt, the newest first."""
        found, following = await notifications.list_deliveries(
            context.known_caller.user_id, channel_id, limit, page, context.call
        )
        return {"data": [delivery_body(each) for each in found], "next_page": following or None}

    @router.post(f"{path}/deliveries/{{delivery_id}}/redeliver", response_model=SentBody, status_code=202)
    async def redeliver(context: Context, channel_id: str, delivery_id: str) -> dict[str, Any]:
        """Send a delivery on its way again, under the id that it had."""
        await notifications.redeliver(context.known_caller.user_id, channel_id, delivery_id, context.call)
        return {"id": delivery_id}

    return router


def delivery_body(delivery: DeliveryView) -> dict[str, Any]:
    """Return a delivery as the API shows it."""
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "type": delivery.kind,
        "data": delivery.facts,
        "occurred_at": delivery.occurred_at,
        "state": delivery.state,
        "next_attempt_at": delivery.next_attempt_at,
        "attempts": [_attempt_body(attempt) for attempt in delivery.attempts],
    }


def _attempt_body(attempt: AttemptView) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "status": attempt.status or None,
        "problem": attempt.problem or None,
        "duration_ms": attempt.duration_ms,
    }
