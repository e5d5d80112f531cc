"""Metrics of usage. RPCs are measured by servicekit (`razvilka_rpc_server_seconds`)."""

from __future__ import annotations

import math

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter(
    "razvilka_usage_records_total",
    "Usage records received, by outcome: inserted, duplicate, replaced (a reaper's guess), rejected (unfit).",
    ["outcome"],
)
CONFLICTING_DUPLICATES = Counter(
    "razvilka_usage_conflicting_duplicates_total",
    "Records whose id was stored with other content; the first was kept. Above 0 somebody must look.",
)
BATCH_RECORDS = Histogram(
    "razvilka_usage_batch_records",
    "Records in one Record call.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
)
RECORD_SECONDS = Histogram(
    "razvilka_usage_record_seconds",
    "Seconds until a batch was durable, its retries included.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RETRIES = Counter(
    "razvilka_usage_transaction_retries_total",
    "Transactions repeated after a deadlock or a serialization failure.",
)
INVARIANTS_BROKEN = Gauge(
    "razvilka_usage_invariants_broken",
    "Places where an invariant between rows and rollups did not hold in the last check; must be 0.",
    ["invariant"],
)
INVARIANTS_CHECKED_SECONDS = Gauge(
    "razvilka_usage_invariants_checked_timestamp_seconds", "Unix time of the last finished check of the invariants."
)
INVARIANT_ROWS = Gauge("razvilka_usage_invariants_checked_rows", "Rows the last check of the invariants compared.")
DEFAULT_PARTITION_ROWS = Gauge(
    "razvilka_usage_default_partition_rows", "Usage rows whose month has no partition; must be 0."
)
PARTITIONS_UNTIL = Gauge(
    "razvilka_usage_partitions_until_timestamp_seconds",
    "Unix time until which rows have a partition, as the last successful look at the partitions left it.",
)
BACKUP_FINISHED = Gauge(
    "razvilka_usage_backup_finished_timestamp_seconds",
    "Unix time at which the last backup was finished, 0 without one; NaN when USAGE_BACKUP_STAMP is not set.",
)
BACKUP_FINISHED.set(math.nan)
ARCHIVED_ROWS = Counter("razvilka_usage_archived_rows_total", "Rows that were moved to Parquet files.")
UPKEEP_FAILURES = Counter("razvilka_usage_upkeep_failures_total", "Background jobs that failed, by task.", ["task"])
ANOMALIES = Counter(
    "razvilka_usage_anomalies_total", "Days and hours found that cost more than they should, by grain.", ["grain"]
)
