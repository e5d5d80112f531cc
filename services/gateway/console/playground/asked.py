"""What a person can ask in a browser, and what is known of it afterwards."""

from __future__ import annotations

from typing import Any

from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext, part_of_path


async def chat_models(page: PageContext, api: OwnApi) -> list[dict[str, Any]]:
    """Return the models that answer questions and have a price."""
    found = await api.get(page, "/v1/models")
    return [model for model in found["data"] if model["kind"] == "chat" and model["pricing"] is not None]


def place_of_request(request_id: str) -> str:
    """Return where the API explains a request."""
    return f"/v1/requests/{part_of_path(request_id)}"


async def known_request(page: PageContext, api: OwnApi, request_id: str) -> Any:
    """Return what is known of a request; None where nothing is yet: its answer was paid for all the same."""
    try:
        return await api.get(page, place_of_request(request_id))
    except ApiRefused:
        return None
