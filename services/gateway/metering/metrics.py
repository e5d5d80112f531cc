"""What metering counts."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

from services.gateway.metering.usage_record import Flag, Source, UsageRecord

DEPTH = Gauge("razvilka_gateway_journal_unacked_records", "Settled records that the usage service has not confirmed.")
OLDEST = Gauge("razvilka_gateway_journal_oldest_unacked_seconds", "Age of the oldest unconfirmed record.")
READY = Gauge("razvilka_gateway_journal_ready", "1 while the journal takes records.")
SHIPPED = Counter("razvilka_gateway_usage_shipped_total", "Records confirmed by the usage service.")
RETRIES = Counter("razvilka_gateway_usage_ship_retries_total", "Batches that had to be sent again.")
DEAD_LETTERED = Counter("razvilka_gateway_usage_dead_lettered_total", "Records that the usage service will never take.")
REAPED = Counter("razvilka_gateway_usage_reaped_total", "Holds without an owner that were billed by their estimate.")
ESTIMATED = Counter("razvilka_gateway_usage_estimated_total", "Rows billed by our own count.")
RECOVERED = Counter("razvilka_gateway_journal_recovered_total", "Requests settled from the journal of a dead process.")
CORRUPT = Counter("razvilka_gateway_journal_corrupt_total", "Damaged places found in journals; the file is kept aside.")
MISSING = Counter(
    "razvilka_gateway_journal_missing_frames_total", "Frames that were written to a journal and cannot be read."
)
QUARANTINE = Gauge("razvilka_gateway_journal_quarantined_files", "Journal files set aside because they are damaged.")
DISPLACED = Counter(
    "razvilka_gateway_journal_displaced_files_total", "Journal files that somebody removed while they were in use."
)
UNJOURNALLED = Counter(
    "razvilka_gateway_journal_bypassed_total", "Records shipped from memory because the journal took no more."
)
UNACCOUNTED = Gauge(
    "razvilka_gateway_journal_unaccounted_records",
    "Settled records that were appended and are neither shipped, dead letters, in quarantine nor pending.",
)
IN_MEMORY = Gauge("razvilka_gateway_journal_in_memory_records", "Records that wait in memory for room in the journal.")
DEAD_LETTERS = Gauge("razvilka_gateway_dead_letters", "Dead letters that wait for a person.")
CLOCK_OFFSET = Gauge("razvilka_gateway_clock_offset_seconds", "How far our clock is ahead of another.", ["of"])
UNUSUAL = Counter(
    "razvilka_gateway_unusual_bills_total", "Bills with a flag, by flag: see docs/reliability.md.", ["flag"]
)
OVER_HOLD = Counter("razvilka_gateway_over_hold_micro_rub_total", "Micro-roubles billed above what was held for them.")
_UNUSUAL: Final = {flag.value: UNUSUAL.labels(flag.value) for flag in Flag}


def count_bill(record: UsageRecord) -> None:
    """Count what is unusual about a bill."""
    if record.source is Source.ESTIMATED:
        ESTIMATED.inc()
    if record.flags:
        for flag in record.flags.split(","):
            _UNUSUAL[flag].inc()
        OVER_HOLD.inc(record.over_hold_micro_rub)
