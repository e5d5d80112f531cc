"""A batch to be stored: each request id once, in an order that all writers share, which prevents deadlocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime

from services.usage.domain.months import month_of
from services.usage.domain.record import Source, UsageRecord
from services.usage.domain.validation import Rejected, check


@dataclass(frozen=True, slots=True)
class Batch:
    """Valid records, sorted by request id; those left out are counted."""

    records: tuple[UsageRecord, ...]
    duplicates: int
    conflicting: tuple[str, ...]
    rejected: tuple[Rejected, ...]

    def months(self) -> set[date]:
        """Return the first days of the months whose partitions the records need."""
        return {month_of(record.created_at.date()) for record in self.records}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with records whose ids are stored already, with the same or other content."""

    replacements: tuple[UsageRecord, ...]
    conflicting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a batch: the first four counts add up to the records received.

    Attributes:
        conflicting: ids of duplicates that contradict what was kept.
    """

    inserted: int
    duplicates: int
    replaced: int
    rejected: tuple[Rejected, ...]
    conflicting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """The results of records stored together, by id; an id that is in none of these was a duplicate."""

    inserted: Set[str]
    replaced: Set[str]
    conflicting: Set[str]

    def outcome_of(self, batch: Batch) -> Outcome:
        """Return what became of one of the batches."""
        ids = [record.request_id for record in batch.records]
        inserted, replaced = (
            sum(request_id in those for request_id in ids) for those in (self.inserted, self.replaced)
        )
        conflicting = tuple([request_id for request_id in ids if request_id in self.conflicting])
        duplicates = batch.duplicates + len(ids) - inserted - replaced
        return Outcome(inserted, duplicates, replaced, batch.rejected, batch.conflicting + conflicting)


def fold(records: Iterable[UsageRecord], *, now: datetime) -> Batch:
    """Return the batch that stores `records`: unfit ones named, repeated ids once."""
    kept: dict[str, UsageRecord] = {}
    rejected: list[Rejected] = []
    conflicting: list[str] = []
    duplicates = 0
    for record in records:
        problem = check(record, now=now)
        if problem is not None:
            rejected.append(problem)
            continue
        earlier = kept.get(record.request_id)
        if earlier is None:
            kept[record.request_id] = record
            continue
        duplicates += 1
        if gives_way(earlier, record):
            kept[record.request_id] = record
        elif conflicts(earlier, record):
            conflicting.append(record.request_id)
    ordered = tuple(kept[request_id] for request_id in sorted(kept))
    return Batch(ordered, duplicates, tuple(conflicting), tuple(rejected))


def judge(records: Iterable[UsageRecord], stored: Mapping[str, UsageRecord]) -> Verdict:
    """Compare records that were not inserted with what is stored under their ids."""
    replacements: list[UsageRecord] = []
    conflicting: list[str] = []
    for record in records:
        earlier = stored.get(record.request_id)
        if earlier is None:
            continue
        if gives_way(earlier, record):
            replacements.append(record)
        elif conflicts(earlier, record):
            conflicting.append(record.request_id)
    return Verdict(tuple(replacements), tuple(conflicting))


def gives_way(earlier: UsageRecord, later: UsageRecord) -> bool:
    """Tell whether `later` replaces `earlier`: a reaper's guess gives way to what the journal knows."""
    return earlier.source is Source.REAPED and later.source is not Source.REAPED


def conflicts(earlier: UsageRecord, later: UsageRecord) -> bool:
    """Tell whether two records of one id contradict each other; a reaper's late guess contradicts nothing."""
    return later.source is not Source.REAPED and later != earlier
