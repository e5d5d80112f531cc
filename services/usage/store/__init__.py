"""All SQL of schema `usage`; rows <-> domain. Each file keeps its statements above the function that uses them."""

from services.usage.store.usage_store import Collision, Refusal, Transaction, UsageStore

__all__ = ["Collision", "Refusal", "Transaction", "UsageStore"]
