"""A report as lines for the operator, and in JSON's types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from migrate.report.decisions import ToDecide
from migrate.report.reading import Findings, Kind
from migrate.report.words import REASONS

SHOWN: Final = 70


def as_json(found: Findings, decisions: Sequence[ToDecide]) -> dict[str, Any]:
    """Return the findings."""
    return {
        "summary": found.summary,
        "repairs": _named(found.repairs, "rule"),
        "waiting": [
            {**each, "examples": found.examples[each["table"], each["field"], each["reason"]]}
            for each in _named(found.waiting, "reason")
        ],
        "back_from_quarantine": dict(found.back),
        "to_decide": [{"what": each.what, "rows": each.rows, "command": each.command} for each in decisions],
    }


def lines(found: Findings, decisions: Sequence[ToDecide]) -> Iterator[str]:
    """Yield the findings, a line each."""
    if found.is_trial:
        yield "A TRIAL: what would become of each row; nothing of it has moved"
    if found.summary is None:
        yield "no run came to its end: start it again with the same words, it goes on where it stood"
    else:
        yield from table_lines(found.summary["tables"])
    for (table, field, rule), rows in _ordered(found.repairs):
        yield f"repaired {table}.{field}: {rule}: {rows}"
    for kind, rows in _ordered(found.waiting):
        yield _waiting(kind, rows, found.examples[kind])
    for table, rows in sorted(found.back.items()):
        yield f"back from quarantine: {table}: {rows}"
    for each in decisions:
        yield f"TO DECIDE: {each.rows or ''} {each.what}".replace("  ", " ")
        if each.command:
            yield f"  {each.command}"


def table_lines(tables: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yield how many rows of each table had which fate."""
    for name, counts in tables.items():
        money = f"; {_roubles(counts['cost_micro_rub'])} roubles moved" if "cost_micro_rub" in counts else ""
        yield (
            f"{name}: {counts['rows']} rows, {counts['as_it_is']} as they are, {counts['repaired']} repaired, "
            f"{counts['quarantined']} quarantined{money}"
        )


def _roubles(micro: int) -> str:
    return f"{micro // 10**6:,}.{micro % 10**6:06}"


def _waiting(kind: Kind, rows: int, examples: Sequence[Mapping[str, Any]]) -> str:
    table, field, reason = kind
    column = f"{table}.{field}" if field else table
    shown = "; ".join(f"rowid {each['rowid']}: {_value(each['value'])}" for each in examples)
    # A folder of a later release may have reasons that we do not know.
    words = f", {REASONS[reason]}" if reason in REASONS else ""
    return f"quarantined by {column}: {reason}{words}: {rows} ({shown})"


def _value(stored: Mapping[str, Any]) -> str:
    if "hex" in stored:
        return f"{stored['class']} x'{_cut(stored['hex'])}'"
    return f"{stored['class']} {_cut(stored['value'])!r}" if "value" in stored else str(stored["class"])


def _cut(value: Any) -> Any:
    """Return a value as long as a line bears; the whole of it is in the folder."""
    is_long = isinstance(value, str) and len(value) > SHOWN
    return f"{value[:SHOWN]}... ({len(value)} letters)" if is_long else value


def _ordered(counts: Counter[Kind]) -> list[tuple[Kind, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _named(counts: Counter[Kind], noun: str) -> list[dict[str, Any]]:
    return [
        {"table": table, "field": field, noun: what, "rows": rows} for (table, field, what), rows in _ordered(counts)
    ]
