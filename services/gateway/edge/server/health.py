"""GET /health (the process answers) and /ready (requests can be served)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from services.gateway.edge.server.readiness import Readiness


class HealthBody(BaseModel):
    """The process answers."""

    status: str


class ReadyBody(BaseModel):
    """Whether requests can be served, and what each part says."""

    status: str
    checks: dict[str, bool]
    details: dict[str, str] = {}


def health_router(readiness: Readiness) -> APIRouter:
    """Return the routes; neither waits for another service."""
    router = APIRouter(tags=["health"])

    @router.get("/health", response_model=HealthBody)
    async def get_health() -> dict[str, Any]:
        """Answer as long as the process does."""
        return {"status": "ok"}

    @router.get(
        "/ready", response_model=ReadyBody, response_model_exclude_defaults=True, responses={503: {"model": ReadyBody}}
    )
    async def get_ready(response: Response) -> dict[str, Any]:
        """Answer 200 when requests can be served, else 503 and what is missing."""
        ready = readiness.is_ready
        response.status_code = 200 if ready else 503
        return {"status": "ready" if ready else "not_ready", "checks": readiness.results, "details": readiness.details}

    return router
