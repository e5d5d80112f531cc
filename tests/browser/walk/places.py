"""Where the walk goes: each page that a browser can open, by the path of its route.

A page that is not here fails a test of the gateway, so that none is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """A page.

    Attributes:
        route: the path of its route in the application.
        query: what is asked of it, with its `?`.
        is_open: strangers see it, too, and the walk goes there as one.
        params: what ids in its path are called among those that a resident has, where that is not their own name.
    """

    route: str
    query: str = ""
    is_open: bool = False
    params: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """Return what its pictures are called."""
        parts = [part for part in self.route.strip("/").split("/") if part]
        return "-".join("one" if part.startswith("{") else part for part in parts) or "front-door"

    def path(self, ids: Mapping[str, str]) -> str:
        """Return its address for whom these are; "" for whoever has no such thing."""
        path = self.route
        for part in self.route.split("/"):
            if part.startswith("{"):
                # "{user_id}", or "{user_id:path}".
                name = part[1:-1].partition(":")[0]
                name = (self.params or {}).get(name, name)
                if name not in ids:
                    return ""
                path = path.replace(part, ids[name])
        return path + self.query


def _open(*routes: str) -> tuple[Place, ...]:
    return tuple(Place(route, is_open=True) for route in routes)


_HOOK: Final = {"channel_id": "webhook_id"}
_OPEN: Final = (
    *_open("/", "/status", "/login", "/registration", "/forgot-password", "/docs", "/docs/errors", "/docs/{room}"),
    Place("/reset-password", "?token=x", is_open=True),
    Place("/verify-email", "?token=x", is_open=True),
    Place("/authorize", "?client_id=unknown", is_open=True),
)
_CONSOLE: Final = tuple(
    Place(f"/console{path}")
    for path in (
        "", "/usage", "/requests", "/requests/{request_id}", "/models", "/playground", "/break",
        "/keys", "/keys/new", "/keys/made", "/keys/{key_id}", "/keys/{key_id}/rotate", "/keys/{key_id}/revoke",
        "/keys/{key_id}/names", "/keys/names",
        "/applications", "/applications/new", "/applications/made", "/applications/{client_id}",
        "/applications/{client_id}/rotate", "/applications/{client_id}/delete",
        "/budgets", "/budgets/new", "/budgets/{budget_id}", "/budgets/{budget_id}/delete",
        "/alerts", "/alerts/new", "/alerts/rules/{rule_id}", "/alerts/rules/{rule_id}/delete",
        "/alerts/channels/new", "/alerts/channels/{channel_id}",
        "/alerts/channels/{channel_id}/delete",
        "/webhooks", "/webhooks/new", "/webhooks/made",
        "/reports", "/reports/schedules/new", "/reports/schedules/{schedule_id}/delete", "/reports/{report_id}/delete",
        "/profile", "/security", "/sessions", "/data",
        "/admin/people", "/admin/people/{user_id:path}", "/admin/people/{user_id:path}/budgets/new",
        "/admin/organizations", "/admin/organizations/{organization_id}",
        "/admin/organizations/{organization_id}/delete", "/admin/organizations/{organization_id}/budgets/new",
        "/admin/providers", "/admin/catalog", "/admin/audit", "/style",
    )
)  # fmt: skip
_CAPS: Final = tuple(
    Place(f"/console/admin/{whose}/budgets/{{budget_id}}{path}", params={"budget_id": budget})
    for whose, budget in (
        ("people/{user_id:path}", "person_budget_id"),
        ("organizations/{organization_id}", "org_budget_id"),
    )
    for path in ("", "/delete")
)
_HOOKS: Final = tuple(
    Place(f"/console/webhooks/{{channel_id}}{path}", params=_HOOK) for path in ("", "/rotate", "/delete")
)
_MIDDLE: Final = (Place("/device"), Place("/logout"), Place("/dev/outbox"), Place("/docs/run/{operation_id}"))
PLACES: Final = (*_OPEN, *_CONSOLE, *_CAPS, *_HOOKS, *_MIDDLE)

# Routes that answer a GET but are no page to look at, with the reason.
NO_PAGES: Final = {
    "/login/external/{provider_id}/callback": "where a login elsewhere comes back",
    "/console/{path:path}": "what is nowhere",
    "/console/playground/figures": "a piece of the playground that its script asks for",
}
