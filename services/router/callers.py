"""Which service may call which RPC of the router. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

METHODS: Final = ("Converse", "ListModels", "GetProviderStatus", "GetFile", "DeleteFile")
ADMIN_METHODS: Final = ("ListCircuits", "ResetCircuits", "SetDrained", "ListStatusHistory")
CALLERS: Final = {
    f"/razvilka.router.v1.{service}/{method}": ("gateway",)
    for service, methods in (("RouterService", METHODS), ("RouterAdminService", ADMIN_METHODS))
    for method in methods
}
