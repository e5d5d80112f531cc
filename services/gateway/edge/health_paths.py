"""Where load balancers and orchestrators ask every few seconds."""

from __future__ import annotations

from typing import Final

HEALTH_PATHS: Final = ("/health", "/ready")
