"""What the clients count."""

from __future__ import annotations

from typing import Final

from prometheus_client import Gauge

CATALOG_MODELS: Final = Gauge("razvilka_gateway_catalog_models", "Models in the catalogue.")
