"""Which service may call which RPC of the router. An RPC without a row stops the start."""

from __future__ import annotations

from typing import Final

METHODS: Final = ("Converse", "ListModels", "GetProviderStatus", "CountTokens", "GetFile", "DeleteFile")
CALLERS: Final = {f"/razvilka.router.v1.RouterService/{method}": ("gateway",) for method in METHODS}
