"""A metric's value now, as tests compare it before and after."""

from __future__ import annotations

from prometheus_client import REGISTRY


def sampled(name: str, **labels: str) -> float:
    """Return the sample's value; 0 when nothing has been counted with these labels yet."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
