"""Models in the shape of Anthropic's API, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.gateway.clients.catalog import Model
from services.gateway.edge.reading.json_body import invalid_field


def model_info(model: Model, began: datetime, now: datetime) -> dict[str, Any]:
    """Return what Anthropic's clients know of a model; `began`: when there first was one."""
    ends = model.deprecated_at is not None and model.deprecated_at <= now
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": began.isoformat(),
        "lifecycle": "deprecated" if ends else "active",
        "deprecated_at": model.deprecated_at and model.deprecated_at.isoformat(),
        "retires_at": model.shutdown_at and model.shutdown_at.isoformat(),
        "max_input_tokens": model.context_length or None,
        "max_tokens": model.max_output_tokens or None,
    }


def model_page(
    infos: Sequence[dict[str, Any]], *, limit: int, after_id: str | None, before_id: str | None
) -> dict[str, Any]:
    """Return the page of at most `limit` models behind (or before) one.

    Raises:
        InvalidRequest: that one is not in the list.
    """
    ids = [info["id"] for info in infos]
    begin = 0 if after_id is None else _place(ids, after_id, "after_id") + 1
    end = len(ids) if before_id is None else _place(ids, before_id, "before_id")
    if before_id is not None and after_id is None:
        begin, has_more = max(0, end - limit), end > limit
    else:
        end, has_more = min(end, begin + limit), end > begin + limit
    page = infos[begin:end]
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return {"data": list(page), "has_more": has_more, **ends}


def _place(ids: Sequence[str], wanted: str, name: str) -> int:
    if wanted not in ids:
        raise invalid_field(name, "There is no such model among those that the credential may use")
    return ids.index(wanted)
