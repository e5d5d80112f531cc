"""All SQL of statistics: a question becomes one statement, what it returns becomes figures. It writes nothing."""

from services.usage.statistics.store.statistics_store import StatisticsStore

__all__ = ["StatisticsStore"]
