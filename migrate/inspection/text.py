"""An inspection as lines for the operator."""

from __future__ import annotations

from collections.abc import Iterator

from migrate.inspection.inspect import Inspection
from migrate.inspection.tally import TableCount, ZoneEvidence
from migrate.report.words import REASONS


def lines(found: Inspection, zone: str | None) -> Iterator[str]:
    """Yield what was found, a line each; `zone`: of times that say none, as the operator stated it."""
    yield f"integrity: {'ok' if found.is_whole else 'DAMAGED: what can be read is counted'}"
    for note in found.notes:
        yield f"note: {note}"
    for name, count in found.tables.items():
        yield from _of_table(found, name, count)
    for other in found.layout.others:
        yield f"not of release 1.0, stays behind: {other}"
    for collision in found.collisions:
        ids = ", ".join(collision.user_ids)
        yield f"one address, several accounts: {collision.address} ({ids}): the first keeps it, nobody is merged"
    yield from _of_zone(found.zone, zone)


def _of_zone(zone: ZoneEvidence, stated: str | None) -> Iterator[str]:
    said = f"you stated {stated}" if stated else "state the server's zone by --naive-zone"
    if zone.naive:
        yield (
            f"{zone.naive} usage times say no zone; read as UTC {zone.later_than_file} are later than the file, by "
            f"{zone.hours_ahead} hours at most; the quietest hour as written is {zone.quietest_hour}: {said}"
        )
    if zone.used_before_made:
        yield f"{zone.used_before_made} keys were used before they were made, if both times are UTC: {said}"


def _of_table(found: Inspection, name: str, count: TableCount) -> Iterator[str]:
    yield (
        f"{name}: {count.rows} rows, {count.as_it_is} move as they are, {count.repaired} repaired, "
        f"{count.quarantined} quarantined" + (f", {count.orphans} of users that are not there" if count.orphans else "")
    )
    table = found.layout.tables[name]
    for noun, columns in (("missing", table.missing), ("the operator's own", table.unknown)):
        if columns:
            yield f"  columns {noun}: {', '.join(columns)}"
    for (column, rule), rows in count.repairs.most_common():
        yield f"  repaired {column}: {rule}: {rows}"
    for (column, reason), rows in count.reasons.most_common():
        yield f"  quarantined{f' by {column}' if column else ''}: {reason}: {rows} ({REASONS[reason]})"
    for hole in count.holes:
        yield f"  UNREADABLE: rowids {hole.first} to {hole.last}"
