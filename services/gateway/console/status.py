"""/status: how each provider and model version answers everybody, and what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.gateway.availability.spans import SPANS
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading.params import first
from services.gateway.pages.answers import PageAnswer, TemplatePage
from services.gateway.pages.own_api import ApiRefused, OwnApi
from services.gateway.pages.page_context import PageContext
from services.gateway.pages.page_endpoint import PageDependencies, page_endpoint, recognise

PATH: Final = "/status"
# Of so many incidents, the newest, a person is told how many of their requests they affected.
MOST_LOOKED_AT: Final = 8
# Below these shares a bar is not good, and bad.
GOOD: Final = 0.99
FAIR: Final = 0.9


@dataclass(frozen=True, slots=True)
class StatusPage:
    """The page for everybody."""

    shared: PageDependencies
    api: OwnApi

    def all(self) -> list[Endpoint]:
        """Return the page."""
        return [page_endpoint(PATH, self.shared, self.show)]

    async def show(self, page: PageContext) -> PageAnswer:
        """Show the state of the service over a span."""
        await recognise(page, self.shared.accounts)
        status = await self.api.get(page, "/status.json")
        asked = first(page.query, "span")
        span = asked if asked in SPANS else next(iter(SPANS))
        values = {
            "status": status,
            "span": span,
            "spans": tuple(SPANS),
            "providers": [_provider(each, span) for each in status["providers"] or ()],
            "incidents": await self._incidents(page, status["incidents"]),
        }
        page.context.cache_control = b"private, max-age=30"
        return TemplatePage("status.html", values, scripted=True)

    async def _incidents(self, page: PageContext, incidents: Sequence[Mapping[str, Any]] | None) -> Any:
        if incidents is None:
            return None
        looked_at = incidents[:MOST_LOOKED_AT] if page.user else []
        affected = await asyncio.gather(*[self._affected(page, incident) for incident in looked_at])
        counts = [*affected, *[None] * (len(incidents) - len(affected))]
        return [{**incident, "affected": count} for incident, count in zip(incidents, counts, strict=True)]

    async def _affected(self, page: PageContext, incident: Mapping[str, Any]) -> int | None:
        """Return how many requests of the person failed at its models, or were answered by others, while it lasted."""
        until = [("to", incident["ended_at"])] if incident["ended_at"] else []
        params = [("from", incident["began_at"]), *until, ("group_by", "version")]
        try:
            found = await self.api.get(page, "/v1/usage/summary", params)
        except ApiRefused:
            return None
        own = [row for row in found["data"] if row["group"]["version"] in incident["models"]]
        others = [row for row in found["data"] if row["group"]["version"] not in incident["models"]]
        affected: int = sum(row["errors"] for row in own) + sum(row["fallbacks"] for row in others)
        return affected


def _provider(provider: Mapping[str, Any], span: str) -> dict[str, Any]:
    rows = [{**model, "now": model["spans"][span]} for model in provider["models"]]
    shown = [row for row in rows if row["status"] != "unknown" or _was_asked(row["now"])]
    return {
        **provider,
        "shown": [{**row, "bars": _bars(row["now"])} for row in shown],
        "untried": [row["model"] for row in rows if row not in shown],
    }


def _was_asked(figures: Mapping[str, Any] | None) -> bool:
    return figures is not None and figures["availability"] is not None


def _bars(figures: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the bars as they are drawn: when each begins, its share and how good that is."""
    if figures is None:
        return None
    begins_at, step = datetime.fromisoformat(figures["begins_at"]), timedelta(seconds=figures["step_s"])
    shares = figures["bars"]
    bars = [
        {"begins_at": begins_at + at * step, "share": share, "kind": _kind(share)} for at, share in enumerate(shares)
    ]
    return {"bars": bars, "lowest": min([share for share in shares if share is not None], default=None)}


def _kind(share: float | None) -> str:
    if share is None:
        return "nobody"
    if share >= GOOD:
        return "good"
    return "fair" if share >= FAIR else "poor"
